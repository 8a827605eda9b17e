"""Differences of clips, tables and specifications, against pandas."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import soundfile

from featurestore.cli.text.compare import verdict
from featurestore.differences.tables import FieldDifference, compare_fields, specification_fields
from featurestore.store import FeatureStore
from schemas.opensmile import OpenSmileSpec
from tests.featurestore.differences.oracle import (
    MakeStore,
    compared,
    measured,
    require_the_errors_of_numpy,
    sections,
    text,
)
from tests.tiny_store import TINY_RECIPE, Builder


class TestClips:
    def test_a_clip_more_a_clip_less_and_one_that_changed(
        self, plain: Path, own_demo: Path, whole_demo: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        """The first is gone, so that all others stand in other rows or beside a vacant one."""
        gone, *_, changed = sorted((own_demo / "demo").glob("*/*.wav"))
        gone.unlink()
        samples, rate = soundfile.read(changed)
        soundfile.write(changed, samples * 0.5, rate)
        (new,) = (whole_demo / "demo").glob("f01/*_s2_angry_1.wav")
        shutil.copy(new, own_demo / "demo" / "f01")
        other = tmp_path / "other.zarr"
        tiny_build(other, own_demo)
        result = compared(plain, other)
        assert result.clips_only.a == (f"demo/{gone.stem}",)
        assert result.clips_only.b == (f"demo/{new.stem}",)
        hashes = {d.column: d for d in result.columns}["audio_sha256"]
        assert hashes.clips == (f"demo/{changed.stem}",)
        assert hashes.a != hashes.b
        assert {d.clips for d in result.columns} == {hashes.clips}
        assert not result.drawn
        assert measured(result)["rms", "original"].differing == 1
        require_the_errors_of_numpy(result, plain, other)
        assert not result.corpora

    def test_a_recording_that_is_bad_in_one_of_them(
        self, plain: Path, own_demo: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        bad, slow, *_ = sorted((own_demo / "demo").glob("*/*.wav"))
        bad.write_bytes(bad.read_bytes()[:20])
        soundfile.write(slow, soundfile.read(slow)[0], 8_000)
        other = tmp_path / "other.zarr"
        tiny_build(other, own_demo)
        result = compared(plain, other)
        status = {d.column: d for d in result.columns}["status"]
        assert (status.clips, status.a, status.b) == ((f"demo/{bad.stem}",), ("ok",), ("bad",))
        assert FieldDifference("demo.bad", 0, 1) in result.corpora
        duration = {d.column: d for d in result.columns}["duration_s"]
        assert duration.b[0] is None
        rate = {d.column: d for d in result.columns}["sample_rate"]
        assert rate.clips == (f"demo/{bad.stem}", f"demo/{slow.stem}")
        assert json.dumps(rate.b) == "[null, 8000]"
        assert result.numbers is not None
        assert result.numbers.clips == 111
        assert {d.differing for d in result.numbers.measured} == {1}
        require_the_errors_of_numpy(result, plain, other)

    def test_another_label_and_another_corpus(
        self, small_demo: Path, plain: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        folder = tmp_path / "mine" / "cross"
        folder.mkdir(parents=True)
        shutil.copy(next((small_demo / "demo").glob("f01/*angry*")), folder / "one.wav")
        stores = [tmp_path / "a.zarr", tmp_path / "b.zarr"]
        for out, emotion in zip(stores, ("angry", "sad"), strict=True):
            (folder.parent / "corpus.toml").write_text(
                f'title = "{emotion}"\n[emotions]\ncross = "{emotion}"\n'
            )
            tiny_build(out, tmp_path, f"mine={folder.parent}")
        result = compared(*stores)
        assert [(d.column, d.a, d.b) for d in result.columns] == [("emotion", ("angry",), ("sad",))]
        assert result.corpora == (FieldDifference("mine.title", "angry", "sad"),)
        assert result.numbers is not None
        assert not result.numbers.differing
        assert not result.same
        disjoint = compared(stores[0], plain)
        assert (disjoint.corpora_only.a, disjoint.corpora_only.b) == (("mine",), ("demo",))
        assert len(disjoint.clips_only.b) == 112
        assert not disjoint.same
        assert verdict(disjoint).endswith("the stores share no usable clip, so no values were compared")


class TestSpecification:
    def test_fields_by_name_wherever_they_stand(self, plain: Path, make: MakeStore) -> None:
        """The noise view comes second and has another range; nothing else differs."""
        head, mel, rms, noise, fast, tail = sections(TINY_RECIPE)
        other = make(head + mel + rms + fast + noise.replace("30.0", "20.0") + tail)
        result = compared(plain, other)
        assert result.spec == (FieldDifference("views.noise.snr_db", [10.0, 30.0], [10.0, 20.0]),)
        assert not result.views_only
        assert {d.view for d in result.drawn} == {"noise"}

    def test_features_and_views_that_only_one_has(self, plain: Path, make: MakeStore) -> None:
        head, mel, rms, noise, fast, tail = sections(TINY_RECIPE)
        other = make(
            head + mel + rms.replace("rms", "zcr") + noise + fast.replace('"fast"', '"faster"') + tail
        )
        result = compared(plain, other)
        assert (result.features_only.a, result.features_only.b) == (("rms",), ("zcr",))
        assert (result.views_only.a, result.views_only.b) == (("fast",), ("faster",))
        assert FieldDifference("views.fast.factor", 1.25, "absent") in result.spec
        assert FieldDifference("features.zcr.kind", "absent", "zcr") in result.spec
        assert set(measured(result)) == {("mel", "original"), ("mel", "noise")}
        assert not result.same

    def test_features_of_one_kind_are_told_apart_and_long_lists_are_short(self, plain: Path) -> None:
        """Both stores have eGeMAPS and ComParE, but of other versions of openSMILE."""
        stores = [_with_opensmile(FeatureStore.open(plain), version) for version in ("2.5.0", "2.6.0")]
        fields = [specification_fields(store) for store in stores]
        found = compare_fields(*fields)
        assert found == tuple(
            FieldDifference(f"features.{name}.version", "2.5.0", "2.6.0") for name in ("egemaps", "compare")
        )
        grown = compare_fields(fields[0], specification_fields(FeatureStore.open(plain)))
        lines = text(replace(compared(plain, plain), spec=grown))
        assert "  features.compare.columns: 6,373 values, from c0 to c6372 | absent" in lines


def _with_opensmile(store: FeatureStore, version: str) -> FeatureStore:
    spec = store.spec
    added = tuple(
        OpenSmileSpec(name=name, version=version, columns=tuple(f"c{index}" for index in range(count)))
        for name, count in (("egemaps", 88), ("compare", 6373))
    )
    spec = spec.model_copy(update={"features": (*spec.features, *added)})
    return FeatureStore(store.place, store.document.model_copy(update={"spec": spec}))
