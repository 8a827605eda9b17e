import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import zarr

from featurestore.build import BuildRequest, build
from featurestore.format.layout import STORE_JSON
from featurestore.places.names import LOCK
from featurestore.plan.spec import SpecRequest
from featurestore.progress import Advance, Silent
from featurestore.store import FeatureStore
from featurestore.verify import verify
from pipelines.decode import decode
from pipelines.pipeline import Pipeline
from pipelines.version import FEATURE_VERSION
from schemas.errors import BadRecordingsError, StoreConflictError, StoreUnfinishedError, UsageError
from schemas.recipe import load_recipe
from tests.tiny_store import Builder


def _digest(store: Path) -> str:
    return FeatureStore.open(store).digest


def test_a_store_holds_every_clip_with_every_view(tiny_store: Path) -> None:
    store = FeatureStore.open(tiny_store)
    assert len(store.manifest) == 672
    assert len(store.views) == 672 * 3
    assert (store.manifest["status"] == "ok").all()
    assert store.manifest["clip_id"].is_unique
    assert store.arrays["demo"]["mel"].shape == (3, 672, 16, 32)


def test_rows_are_sorted_by_speaker_then_clip(tiny_store: Path) -> None:
    manifest = FeatureStore.open(tiny_store).manifest
    assert manifest["row"].tolist() == list(range(672))
    assert manifest.sort_values(["speaker", "clip_id"]).index.tolist() == list(range(672))


def test_stored_numbers_are_the_pipelines(tiny_store: Path, whole_demo: Path, tiny_recipe: str) -> None:
    """Read with plain zarr, computed clip by clip: neither the unit nor the batch leaves a trace."""
    import torch

    spec = load_recipe(tiny_recipe).store_spec()
    pipeline = Pipeline(spec, torch.device("cpu"))
    manifest = FeatureStore.open(tiny_store).manifest
    group = zarr.open_group(tiny_store, mode="r")
    for row in (0, 100, 255, 256, 671):
        clip = manifest.iloc[row]
        samples = decode((whole_demo / "demo" / clip["path"]).read_bytes(), spec.audio).samples
        batch = pipeline([clip["clip_id"]], [samples])
        for feature, values in batch.arrays.items():
            assert np.array_equal(group[f"demo/{feature}"][:, row], values[:, 0])


def test_building_again_does_nothing(own_store: Path, whole_demo: Path, tiny_build: Builder) -> None:
    before = {
        path: path.stat().st_mtime_ns for path in own_store.rglob("*") if path.is_file() and path.name != LOCK
    }
    report = tiny_build(own_store, whole_demo)
    assert (report.units_built, report.units_kept) == (0, 3)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_two_builds_have_the_same_digest(
    tiny_store: Path, whole_demo: Path, tiny_build: Builder, tmp_path: Path
) -> None:
    assert tiny_build(tmp_path / "again.zarr", whole_demo).document.digest == _digest(tiny_store)


def test_a_second_corpus_extends_a_store_and_leaves_the_first_alone(
    tiny_build: Builder, own_demo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "two.zarr"
    tiny_build(out, own_demo)
    shards = {path: path.read_bytes() for path in (out / "demo").rglob("c/*/*/*/*")}
    folder = own_demo / "mine" / "angry"
    folder.mkdir(parents=True)
    shutil.copy(next((own_demo / "demo").glob("f01/*angry*")), folder / "one.wav")
    report = tiny_build(out, own_demo, f"mine={own_demo / 'mine'}")
    assert (report.units_built, report.units_kept) == (1, 1)
    assert set(report.document.datasets) == {"demo", "mine"}
    assert shards == {path: path.read_bytes() for path in shards}
    assert verify(out, full=True).ok
    both = tiny_build(tmp_path / "both.zarr", own_demo, f"demo,mine={own_demo / 'mine'}")
    assert both.document.digest == report.document.digest


def test_a_changed_recording_rebuilds_its_unit(tiny_build: Builder, own_demo: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.zarr"
    tiny_build(out, own_demo)
    before = _digest(out)
    victim = sorted((own_demo / "demo").glob("*/*.wav"))[5]
    original = victim.read_bytes()
    samples, rate = soundfile.read(victim)
    soundfile.write(victim, samples[::-1], rate)
    changed = tiny_build(out, own_demo)
    assert changed.units_built == 1
    assert changed.document.digest != before
    victim.write_bytes(original)
    assert tiny_build(out, own_demo).document.digest == before
    assert verify(out, full=True).ok


def test_new_clips_follow_and_removed_clips_go(tiny_build: Builder, own_demo: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.zarr"
    held_back = own_demo / "demo" / "f01" / min(p.name for p in (own_demo / "demo" / "f01").iterdir())
    aside = tmp_path / "aside.wav"
    shutil.move(held_back, aside)
    first = tiny_build(out, own_demo).document
    old_rows = FeatureStore.open(out).manifest["clip_id"].tolist()
    shutil.move(aside, held_back)
    tiny_build(out, own_demo)
    rows = FeatureStore.open(out).manifest["clip_id"].tolist()
    assert rows[: len(old_rows)] == old_rows, "adding a clip reorders nothing"
    assert len(rows) == len(old_rows) + 1
    assert verify(out, full=True).ok
    held_back.unlink()
    again = tiny_build(out, own_demo).document
    assert again.digest == first.digest
    assert verify(out, full=True).ok


@pytest.mark.slow
def test_fewer_clips_than_before_leave_no_stray_unit(
    tiny_build: Builder, whole_demo: Path, own_store: Path, tmp_path: Path
) -> None:
    corpora = tmp_path / "fewer"
    shutil.copytree(whole_demo, corpora)
    for path in (corpora / "demo").glob("m0[5-8]/*"):
        path.unlink()
    report = tiny_build(own_store, corpora)
    assert report.document.datasets["demo"].clips == 672 - 4 * 42
    assert verify(own_store, full=True).ok
    assert tiny_build(tmp_path / "fresh.zarr", corpora).document.digest == report.document.digest


def test_a_damaged_record_or_missing_shard_is_repaired(
    own_store: Path, tiny_store: Path, whole_demo: Path, tiny_build: Builder
) -> None:
    (own_store / "records" / "demo" / "00001.json").write_text("{")
    next((own_store / "demo" / "mel" / "c" / "2").rglob("0/0/0")).unlink()
    report = tiny_build(own_store, whole_demo)
    assert report.units_built == 2
    assert report.document.digest == _digest(tiny_store)


class TestBadRecordings:
    @pytest.fixture
    def corpora(self, own_demo: Path) -> Path:
        victims = sorted((own_demo / "demo").glob("m0*/*.wav"))
        good = victims[0].read_bytes()
        victims[0].write_bytes(b"")
        victims[1].write_bytes(good[:3000])
        victims[2].write_text("not a sound")
        soundfile.write(victims[3], np.zeros(0), 16_000)
        soundfile.write(victims[4], np.full(8000, np.nan), 16_000, subtype="FLOAT")
        soundfile.write(victims[5], np.ones(1) / 2, 16_000)
        soundfile.write(victims[6], np.zeros(600 * 8000), 8_000)
        return own_demo

    def test_they_are_marked_and_never_stop_a_build(
        self, corpora: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        report = tiny_build(tmp_path / "s.zarr", corpora)
        problems = [bad.problem for bad in report.bad]
        expected = [
            "empty file",
            "truncated",
            "not readable",
            "no samples",
            "NaN",
            "1 sample ",
            "600 s long",
        ]
        assert len(problems) == len(expected)
        assert all(word in problem for word, problem in zip(expected, problems, strict=True))
        store = FeatureStore.open(tmp_path / "s.zarr")
        bad = store.manifest[store.manifest["status"] == "bad"]
        assert len(store.manifest) == 112
        assert sorted(bad["clip_id"]) == sorted(entry.clip_id for entry in report.bad)
        assert np.isnan(store.read(bad.index.to_numpy())["mel"]).all()
        assert not store.valid_frames(bad.index.to_numpy()).any()
        assert bad["duration_s"].max() == 600.0
        assert verify(tmp_path / "s.zarr", full=True).ok

    def test_they_change_no_other_clip(
        self, corpora: Path, small_demo: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        tiny_build(tmp_path / "s.zarr", corpora)
        tiny_build(tmp_path / "clean.zarr", small_demo)
        store, clean = FeatureStore.open(tmp_path / "s.zarr"), FeatureStore.open(tmp_path / "clean.zarr")
        usable = store.manifest.index[store.manifest["status"] == "ok"].to_numpy()
        ours, theirs = store.read(usable, (0, 1, 2)), clean.read(usable, (0, 1, 2))
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)

    def test_strict_refuses_to_finish_and_keeps_the_work(
        self, corpora: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        out = tmp_path / "s.zarr"
        with pytest.raises(BadRecordingsError, match="7 unusable recordings"):
            tiny_build(out, corpora, strict=True)
        with pytest.raises(StoreUnfinishedError):
            FeatureStore.open(out)
        assert tiny_build(out, corpora).units_kept == 1
        with pytest.raises(BadRecordingsError):
            tiny_build(out, corpora, strict=True)

    def test_a_link_that_leads_nowhere_is_told(
        self, own_demo: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        victim = min((own_demo / "demo").glob("*/*.wav"))
        victim.unlink()
        victim.symlink_to(tmp_path / "nowhere.wav")
        report = tiny_build(tmp_path / "s.zarr", own_demo)
        assert [i.reason for i in report.scans[0].ignored] == ["a link that leads nowhere"]

    @pytest.mark.parametrize("trouble", ["gone", "changed"])
    def test_a_file_that_goes_or_changes_meanwhile_is_marked_and_built_the_next_time(
        self, trouble: str, own_demo: Path, small_demo: Path, tmp_path: Path, tiny_recipe: str
    ) -> None:
        victim = min((own_demo / "demo").glob("*/*.wav"))
        original = victim.read_bytes()

        class Meanwhile(Silent):
            def task(self, description: str, total: int, unit: str) -> AbstractContextManager[Advance]:
                if description == "build":  # after hashing, before decoding
                    victim.unlink() if trouble == "gone" else victim.write_bytes(original + b"x")
                return super().task(description, total, unit)

        spec = SpecRequest(recipe=tiny_recipe)
        request = BuildRequest(tmp_path / "s.zarr", own_demo, "demo", spec)
        report = build(request, Meanwhile())
        assert [bad.path for bad in report.bad] == [victim.relative_to(own_demo / "demo").as_posix()]
        assert report.bad[0].problem.startswith("cannot be read" if trouble == "gone" else "changed while")
        victim.write_bytes(original)
        again = build(request)
        assert (again.units_built, again.bad) == (1, ())
        clean = build(BuildRequest(tmp_path / "clean.zarr", small_demo, "demo", spec))
        assert again.document.digest == clean.document.digest


class TestSpecifications:
    def test_a_store_of_another_specification_is_refused_by_name(
        self, own_store: Path, whole_demo: Path
    ) -> None:
        document = (own_store / STORE_JSON).read_bytes()
        request = BuildRequest(own_store, whole_demo, "demo", SpecRequest(recipe="four-corpora-a"))
        with pytest.raises(
            StoreConflictError, match=r"audio\.sample_rate: 8000 in the store, 22050 requested"
        ):
            build(request)
        assert (own_store / STORE_JSON).read_bytes() == document

    def test_what_is_not_said_is_taken_from_the_store(self, own_store: Path, whole_demo: Path) -> None:
        report = build(BuildRequest(own_store, whole_demo, "demo"))
        assert report.units_built == 0

    def test_a_folder_with_other_things_is_refused(self, tmp_path: Path, small_demo: Path) -> None:
        (tmp_path / "thesis.txt").write_text("precious")
        with pytest.raises(UsageError, match=r"thesis\.txt"):
            build(BuildRequest(tmp_path, small_demo, "demo"))
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

    def test_a_foreign_zarr_group_is_refused(self, tmp_path: Path, small_demo: Path) -> None:
        zarr.create_group(tmp_path / "other.zarr", zarr_format=3)
        with pytest.raises(UsageError, match="not a feature store"):
            build(BuildRequest(tmp_path / "other.zarr", small_demo, "demo"))


def test_identical_recordings_are_noted_for_each_other(
    tiny_build: Builder, own_demo: Path, tmp_path: Path
) -> None:
    first, second = sorted((own_demo / "demo" / "f01").glob("*.wav"))[:2]
    shutil.copyfile(first, second)
    tiny_build(tmp_path / "s.zarr", own_demo)
    manifest = FeatureStore.open(tmp_path / "s.zarr").manifest
    noted = manifest[manifest["problem"].str.contains("same audio as")]
    assert len(noted) == 2
    assert (noted["status"] == "ok").all()
    assert noted["audio_sha256"].nunique() == 1


@pytest.mark.slow
def test_identical_ravdess_clips_are_noted(real_corpora: Path, tiny_build: Builder, tmp_path: Path) -> None:
    actor = tmp_path / "corpora" / "ravdess" / "Actor_07"
    shutil.copytree(real_corpora / "ravdess" / "Actor_07", actor)
    report = tiny_build(tmp_path / "s.zarr", tmp_path / "corpora", "ravdess")
    assert report.bad == ()
    manifest = FeatureStore.open(tmp_path / "s.zarr").manifest
    noted = manifest[manifest["problem"].str.contains("same audio as")]
    assert sorted(noted["clip_id"]) == ["ravdess/03-01-03-01-02-01-07", "ravdess/03-01-03-01-02-02-07"]


def test_a_corpus_that_is_only_partly_built_must_be_named(
    own_store: Path, small_demo: Path, tiny_build: Builder, tmp_path: Path
) -> None:
    """Otherwise finalising would make a store of which a part is silently missing."""
    folder = tmp_path / "mine" / "angry"
    folder.mkdir(parents=True)
    shutil.copy(next((small_demo / "demo").glob("f01/*angry*")), folder / "one.wav")
    (own_store / "records" / "demo" / "00002.json").unlink()
    with pytest.raises(StoreUnfinishedError, match="demo is only partly built"):
        tiny_build(own_store, tmp_path, f"mine={tmp_path / 'mine'}")


def test_units_of_another_pipeline_are_not_mixed_in(
    own_store: Path, small_demo: Path, tiny_build: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine" / "angry"
    folder.mkdir(parents=True)
    shutil.copy(next((small_demo / "demo").glob("f01/*angry*")), folder / "one.wav")
    monkeypatch.setattr("featurestore.plan.worklist.FEATURE_VERSION", FEATURE_VERSION + 1)
    with pytest.raises(StoreUnfinishedError, match="another version of the pipeline"):
        tiny_build(own_store, tmp_path, f"mine={tmp_path / 'mine'}")


def test_irregular_tess_files_are_read_and_noted(
    real_corpora: Path, tiny_build: Builder, tmp_path: Path
) -> None:
    """Float32 at 44.1 kHz, 96 kHz, AIFF-C under a .wav name, a misspelt speaker: all usable, all told."""
    names = [
        "OAF_angry/OAF_back_angry.wav",
        "YAF_sad/YAF_beg_sad.wav",
        "OAF_fear/OAF_food_fear.wav",
        "YAF_angry/YAF_germ_angry.wav",
        "YAF_fear/YAF_neat_fear.wav",
        "OAF_neutral/OA_bite_neutral.flac",
        "OAF_neutral/OAF_back_neutral.flac",
    ]
    for name in names:
        target = tmp_path / "corpora" / "tess" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(real_corpora / "tess" / name, target)
    report = tiny_build(tmp_path / "s.zarr", tmp_path / "corpora", "tess")
    assert report.bad == ()
    assert {remark.clip_id for remark in report.noted} == {
        "tess/YAF_germ_angry",
        "tess/YAF_neat_fear",
        "tess/OAF_bite_neutral",
    }
    manifest = FeatureStore.open(tmp_path / "s.zarr").manifest.set_index("clip_id")
    assert sorted(manifest["sample_rate"].unique()) == [24_414, 44_100, 96_000]
    assert manifest.loc["tess/YAF_neat_fear", "problem"] == "AIFF data under a .wav name"


@pytest.mark.parametrize("codec", ["zstd", "blosc", "none", "bitround", "fixed"])
def test_every_codec_builds_a_store_that_reads_as_it_was_computed(
    codec: str, small_demo: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    def store(codec: str) -> FeatureStore:
        spec = SpecRequest(recipe=tiny_recipe, dtype="float32", codec=codec)
        build(BuildRequest(tmp_path / f"{codec}.zarr", small_demo, "demo", spec))
        return FeatureStore.open(tmp_path / f"{codec}.zarr")

    built = store(codec)
    assert verify(built.place.path, full=True).ok  # type: ignore[attr-defined]
    exact = built if codec == "none" else store("none")
    clips = np.arange(len(built.manifest))
    bounds = {"bitround": 2.0**-14, "fixed": 2.0**-6}
    for name, values in built.read(clips, (0, 1, 2)).items():
        truth = exact.read(clips, (0, 1, 2))[name]
        allowed = bounds.get(codec, 0.0) * (np.abs(truth) if codec == "bitround" else 1.0)
        assert (np.abs(values - truth) <= allowed).all()
        plain = zarr.open_array(str(tmp_path / f"{codec}.zarr"), path=f"demo/{name}", mode="r")
        assert np.array_equal(np.asarray(plain[:]), values)
    statistics = built.statistics(built.manifest["speaker"].unique())["mel"]
    frames = built.valid_frames(clips)[0]
    numbers = np.concatenate(
        [values[:, :n].T for values, n in zip(built.read(clips)["mel"][0], frames, strict=True)]
    )
    assert np.allclose(statistics.mean, numbers.mean(axis=0, dtype=np.float64), atol=1e-4)
