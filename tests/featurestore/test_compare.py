"""``compare`` against numpy on arrays that zarr-python reads from the stores, and pandas on their tables."""

import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import soundfile
import zarr
from rich.console import Console

import featurestore.differences.values as module
from featurestore.build import BuildRequest, build
from featurestore.cli.text.compare import comparison_json, comparison_text, verdict
from featurestore.compare import Comparison, compare
from featurestore.differences.tables import ColumnDifference, FieldDifference, OnlyIn
from featurestore.differences.values import Numbers, ValueDifference
from featurestore.format.layout import STORE_JSON
from featurestore.places.choose import place_at
from featurestore.plan.spec import SpecRequest
from featurestore.read.objects import Objects
from featurestore.store import FeatureStore
from schemas.errors import StoreDamagedError
from tests.tiny_store import TINY_RECIPE, Builder

MakeStore = Callable[..., Path]


@pytest.fixture(scope="module")
def make(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeStore:
    """Path of a store of the small demo corpus: (recipe's text, **options of the build). Do not change it."""

    def run(recipe: str = TINY_RECIPE, corpora: Path = small_demo, **options: Any) -> Path:
        folder = tmp_path_factory.mktemp("compared")
        (folder / "recipe.toml").write_text(recipe)
        spec = SpecRequest(recipe=str(folder / "recipe.toml"), **options)
        build(BuildRequest(folder / "s.zarr", corpora, "demo", spec))
        return folder / "s.zarr"

    return run


@pytest.fixture(scope="module")
def plain(make: MakeStore) -> Path:
    """112 clips, float16, seed 0. Shared: do not change it."""
    return make()


@pytest.fixture(scope="module")
def single(make: MakeStore) -> Path:
    """The same in float32. Shared: do not change it."""
    return make(dtype="float32")


def compared(a: Path, b: Path, **options: Any) -> Comparison:
    return compare(FeatureStore.open(a), FeatureStore.open(b), **options)


def measured(result: Comparison) -> dict[tuple[str, str], ValueDifference]:
    assert result.numbers is not None
    return {(d.feature, d.view): d for d in result.numbers.measured}


def text(result: Comparison) -> list[str]:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(comparison_text(result, "a.zarr", "b.zarr"))
    return capture.get().rstrip().splitlines()


def by_clip(store: Path, feature: str, view: int) -> dict[str, npt.NDArray[np.float64]]:
    """Clip id → its numbers, read without the package."""
    values = zarr.open_group(store, mode="r")[f"demo/{feature}"][view].astype(np.float64)
    manifest = pd.read_parquet(store / "manifest.parquet")
    return {clip: values[row] for clip, row in zip(manifest["clip_id"], manifest["row"], strict=True)}


VIEWS = {"original": 0, "noise": 1, "fast": 2}


def require_the_errors_of_numpy(result: Comparison, a: Path, b: Path) -> None:
    for (feature, view), found in measured(result).items():
        left, right = by_clip(a, feature, VIEWS[view]), by_clip(b, feature, VIEWS[view])
        clips = [clip for clip in left if clip in right and np.isfinite(left[clip] + right[clip]).all()]
        errors = np.abs(np.stack([left[clip] - right[clip] for clip in clips]))
        assert found.clips == len(clips)
        assert found.differing == (errors.max(axis=(1, 2)) > 0).sum()
        assert found.largest == errors.max()
        assert found.rms == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-12)
        if found.differing:
            assert found.spot is not None
            place = (found.spot.coefficient, found.spot.frame)
            assert found.spot.view == view
            assert found.spot.a == left[found.spot.clip_id][place]
            assert found.spot.b == right[found.spot.clip_id][place]
            assert abs(found.spot.a - found.spot.b) == errors.max()
        else:
            assert found.spot is None


class TestEqualStores:
    def test_a_copy_is_identical_and_no_shard_of_it_is_decoded(
        self, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """112 clips: 1 unit × 2 features × 3 views."""
        copy = Path(shutil.copytree(plain, tmp_path / "copy.zarr"))
        monkeypatch.delattr(FeatureStore, "read")
        result = compared(plain, copy)
        assert result.identical
        assert result.same
        assert result.numbers is not None
        assert (result.numbers.shards_read, result.numbers.shards_equal) == (0, 6)
        assert verdict(result) == "identical: equal digests"

    def test_another_order_of_features_and_views_is_the_same(self, plain: Path, make: MakeStore) -> None:
        """The numbers stand under other view indices; equal shards are found there, too."""
        head, mel, rms, noise, fast, tail = _sections(TINY_RECIPE)
        other = make(head + rms + mel + fast + noise + tail)
        result = compared(plain, other)
        assert result.same
        assert not result.identical
        assert result.numbers is not None
        assert (result.numbers.shards_read, result.numbers.shards_equal) == (0, 6)
        assert text(result)[-1].startswith("the same numbers")

    def test_other_rows_are_the_same_and_are_read(
        self, plain: Path, own_demo: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        """A store that was extended keeps its rows; one that is built at once has them sorted. One clip is
        bad: NaN in both.
        """
        aside = tmp_path / "aside"
        first = sorted((own_demo / "demo").glob("f*/*"))
        first[7].write_bytes(b"")
        shutil.copytree(own_demo, tmp_path / "whole")
        for path in first:
            target = aside / path.relative_to(own_demo)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
        grown, sorted_rows = tmp_path / "grown.zarr", tmp_path / "sorted.zarr"
        tiny_build(grown, own_demo)
        shutil.copytree(aside, own_demo, dirs_exist_ok=True)
        tiny_build(grown, own_demo)
        tiny_build(sorted_rows, tmp_path / "whole")
        result = compared(sorted_rows, grown)
        rows = [
            pd.read_parquet(path / "manifest.parquet").set_index("clip_id")["row"]
            for path in (grown, sorted_rows)
        ]
        assert not rows[0].equals(rows[1].loc[rows[0].index])
        assert result.same
        assert not result.identical
        assert result.numbers is not None
        assert result.numbers.clips == 111
        assert result.numbers.shards_read == 6
        other = compared(plain, grown)
        require_the_errors_of_numpy(other, plain, grown)
        assert not other.same


class TestSame:
    """Each kind of difference alone makes two stores differ; the libraries do not."""

    @pytest.mark.parametrize(
        ("kind", "difference"),
        [
            ("spec", (FieldDifference("seed", 0, 1),)),
            ("features_only", OnlyIn(("mel",), ())),
            ("views_only", OnlyIn((), ("noise",))),
            ("corpora_only", OnlyIn((), ("tess",))),
            ("corpora", (FieldDifference("demo.licence", "x", "y"),)),
            ("clips_only", OnlyIn(("demo/1",), ())),
            ("columns", (ColumnDifference("label", None, ("demo/1",), ("sad",), ("calm",)),)),
            ("drawn", (ColumnDifference("parameter", "noise", ("demo/1",), (1.0,), (2.0,)),)),
            ("numbers", Numbers(1, (ValueDifference("mel", "noise", 1, 1, 0.5, 0.5, None),), {}, 1, 0)),
            ("numbers", Numbers(1, (), {"mel": "32 frames in A, 38 in B"}, 0, 0)),
        ],
    )
    def test_one_difference(self, kind: str, difference: Any, plain: Path) -> None:
        equal = compared(plain, plain, values=False)
        assert equal.same
        assert not replace(equal, **{kind: difference}).same

    def test_other_libraries(self, plain: Path) -> None:
        equal = compared(plain, plain, values=False)
        assert replace(equal, libraries=(FieldDifference("torch", "2.11", "2.12"),)).same


class TestValues:
    def test_another_dtype_differs_by_its_rounding(self, plain: Path, single: Path) -> None:
        result = compared(plain, single)
        assert result.spec == (FieldDifference("storage.dtype", "float16", "float32"),)
        assert not result.columns
        assert not result.drawn
        assert not result.same
        assert all(d.differing for d in measured(result).values())
        require_the_errors_of_numpy(result, plain, single)

    def test_another_seed_draws_other_noise(self, plain: Path, make: MakeStore) -> None:
        """The original and a view of a fixed parameter hold the same bytes: those shards are not read."""
        other = make(seed=1)
        result = compared(plain, other)
        assert result.spec == (FieldDifference("seed", 0, 1),)
        assert {d.view for d in measured(result).values() if d.differing} == {"noise"}
        require_the_errors_of_numpy(result, plain, other)
        assert result.numbers is not None
        assert (result.numbers.shards_read, result.numbers.shards_equal) == (2, 4)
        drawn = {(d.view, d.column): d for d in result.drawn}
        assert ("noise", "parameter") in drawn
        assert ("fast", "parameter") not in drawn
        snr = drawn["noise", "parameter"]
        for path, values in ((plain, snr.a), (other, snr.b)):
            table = pd.read_parquet(path / "views.parquet")
            table = table[table["name"] == "noise"].set_index("clip_id")
            assert values == tuple(table.loc[list(snr.clips), "parameter"])

    def test_in_blocks_of_a_chunk_the_result_is_the_same(
        self, plain: Path, single: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at_once = compared(plain, single)
        most = []
        read = FeatureStore.read

        def spy(self: FeatureStore, clips: Any, *rest: Any) -> Any:
            most.append(len(clips))
            return read(self, clips, *rest)

        monkeypatch.setattr(FeatureStore, "read", spy)
        monkeypatch.setattr(module, "MOST_VALUES", 1)
        blocks = compared(plain, single)
        assert set(most) == {32, 16}
        for key, found in measured(blocks).items():
            expected = measured(at_once)[key]
            assert (found.largest, found.spot, found.differing) == (
                expected.largest,
                expected.spot,
                expected.differing,
            )
            assert found.rms == pytest.approx(expected.rms, rel=1e-12)

    @pytest.mark.parametrize(
        ("a", "b", "differing", "largest"),
        [
            (np.nan, np.nan, 0, 0.0),
            (np.inf, np.inf, 0, 0.0),
            (-0.0, 0.0, 0, 0.0),
            (np.nan, 1.0, 1, np.inf),
            (1.0, np.nan, 1, np.inf),
            (np.inf, -np.inf, 1, np.inf),
            (65504.0, -65504.0, 1, 131008.0),
        ],
    )
    def test_numbers_that_are_none(
        self, a: float, b: float, differing: int, largest: float, plain: Path, single: Path
    ) -> None:
        stores = FeatureStore.open(plain), FeatureStore.open(single)
        for store, value in zip(stores, (a, b), strict=True):
            _replace_values(store, value)
        result = compare(*stores)
        found = measured(result)["mel", "noise"]
        assert (found.differing, found.largest) == (differing, largest)
        if differing:
            assert found.spot is not None
            assert (found.spot.coefficient, found.spot.frame) == (5, 3)
        else:
            assert found.spot is None
        json.dumps(comparison_json(result), allow_nan=False)

    def test_values_of_other_shapes_are_not_compared(self, plain: Path, make: MakeStore) -> None:
        bands = compared(plain, make(TINY_RECIPE.replace("n_mels = 16", "n_mels = 24")))
        assert bands.numbers is not None
        assert bands.numbers.incomparable == {"mel": "16 coefficients in A, 24 in B"}
        assert {feature for feature, _ in measured(bands)} == {"rms"}
        assert verdict(bands).endswith("all values in both are the same; values of mel cannot be compared")
        longer = compared(plain, make(TINY_RECIPE.replace("duration_s = 0.5", "duration_s = 0.6")))
        assert longer.numbers is not None
        assert longer.numbers.incomparable["rms"] == "32 frames in A, 38 in B"
        assert not longer.numbers.measured
        assert not longer.same

    def test_no_values_reads_no_array(self, plain: Path, single: Path, tmp_path: Path) -> None:
        own_store = Path(shutil.copytree(plain, tmp_path / "own.zarr"))
        for shard in (own_store / "demo").rglob("c/*/*/0/0"):
            shard.unlink()
        result = compared(own_store, single, values=False)
        assert result.numbers is None
        assert result.spec
        assert verdict(result).endswith("the values were not compared")
        alone = verdict(compared(own_store, own_store, values=False))
        assert alone == "equal digests; the values were not read"

    def test_equal_bytes_of_other_clips_are_read(
        self, small_demo: Path, make: MakeStore, tmp_path: Path
    ) -> None:
        """Two recordings as clips 1 and 2 here, as 2 and 3 there: the shards are equal, clip 2 is not."""
        files = sorted((small_demo / "demo" / "f01").glob("*.wav"))[:2]
        for corpora, first in (("a", 1), ("b", 2)):
            folder = tmp_path / corpora / "demo"
            folder.mkdir(parents=True)
            for number, file in enumerate(files, first):
                shutil.copy(file, folder / f"f01_s1_angry_{number}.wav")
        head, mel, rms, _, _, tail = _sections(TINY_RECIPE)
        a, b = (make(head + mel + rms + tail, corpora=tmp_path / corpora) for corpora in ("a", "b"))
        shards = [FeatureStore.open(store).document.objects["demo/mel/c/0/0/0/0"] for store in (a, b)]
        assert shards[0] == shards[1]
        result = compared(a, b)
        assert result.numbers is not None
        assert result.numbers.clips == 1
        assert measured(result)["mel", "original"].differing == 1
        require_the_errors_of_numpy(result, a, b)

    def test_equal_bytes_of_another_dtype_are_read(
        self, plain: Path, single: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Bytes say nothing where they are read in another way."""
        monkeypatch.setattr(Objects, "hash_all", lambda *_: None)  # the hashes are not true here
        a, b = FeatureStore.open(plain), FeatureStore.open(_with_hashes(single, plain, tmp_path))
        for store in (a, b):
            _replace_values(store, 0.0)
        result = compare(a, b)
        assert result.numbers is not None
        assert (result.numbers.shards_read, result.numbers.shards_equal) == (6, 0)

    @pytest.mark.parametrize("side", [0, 1])
    @pytest.mark.parametrize("fault", ["flipped", "cut", "empty", "longer", "lost"])
    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("demo/rms/c/1/0/0/0", True),
            ("manifest.parquet", False),
            ("views.parquet", False),
            ("statistics.parquet", False),
            ("records/demo/00000.json", False),
            ("demo/mel/zarr.json", False),
        ],
    )
    def test_damage_of_a_copy_is_named(
        self, name: str, values: bool, fault: str, side: int, plain: Path, tmp_path: Path
    ) -> None:
        """Both ``store.json`` are equal, so that nothing is different but the damaged file."""
        damaged = Path(shutil.copytree(plain, tmp_path / "damaged.zarr"))
        _damage(damaged / name, fault)
        paths = [damaged, plain] if side == 0 else [plain, damaged]
        with pytest.raises(StoreDamagedError, match=f"{name} in {damaged}"):
            compared(*paths, values=values)

    def test_damage_elsewhere_is_named_and_nothing_is_kept(
        self, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
        memory_place = f"memory://{uuid.uuid4().hex}/store"
        place = place_at(memory_place)
        for path in plain.rglob("*"):
            if path.is_file():
                place.write(path.relative_to(plain).as_posix(), path.read_bytes())
        assert compare(FeatureStore.open(plain), FeatureStore.open(memory_place)).identical
        assert not [*(tmp_path / "cache").rglob("*rms/c/*")]
        name = "demo/rms/c/1/0/0/0"
        place.write(name, (plain / name).read_bytes() + b"more")
        with pytest.raises(StoreDamagedError, match=name):
            compare(FeatureStore.open(plain), FeatureStore.open(memory_place))
        place.delete([name])
        with pytest.raises(StoreDamagedError, match=name):
            compare(FeatureStore.open(plain), FeatureStore.open(memory_place))


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
        """The noise view comes second instead of first and has another range; nothing else is told."""
        head, mel, rms, noise, fast, tail = _sections(TINY_RECIPE)
        other = make(head + mel + rms + fast + noise.replace("30.0", "20.0") + tail)
        result = compared(plain, other)
        assert result.spec == (FieldDifference("views.noise.snr_db", [10.0, 30.0], [10.0, 20.0]),)
        assert not result.views_only
        assert {d.view for d in result.drawn} == {"noise"}

    def test_features_and_views_that_only_one_has(self, plain: Path, make: MakeStore) -> None:
        head, mel, rms, noise, fast, tail = _sections(TINY_RECIPE)
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


class TestPrinted:
    def test_the_last_line_is_the_verdict(self, plain: Path, single: Path) -> None:
        result = compared(plain, single)
        lines = text(result)
        assert lines[-1].startswith("different: specification; values differ by at most")
        mel = max(d.largest for key, d in measured(result).items() if key[0] == "mel")
        assert f"{mel:.3g} (mel)" in lines[-1]
        assert any("storage.dtype: float16 | float32" in line for line in lines)
        spot = max(measured(result).values(), key=lambda d: d.largest).spot
        assert spot is not None
        where = f"{spot.clip_id}, {spot.view}, {spot.coefficient}, {spot.frame}"
        assert any(where in line for line in lines)

    def test_only_the_values_differ(
        self, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As between two machines: B's numbers are changed as it is read."""
        monkeypatch.setattr(Objects, "hash_all", lambda *_: None)  # the hashes are not true here
        a, b = FeatureStore.open(plain), FeatureStore.open(_with_hashes(plain, None, tmp_path))
        _replace_values(b, 1000.0)
        result = compare(a, b)
        assert verdict(result).startswith("the same specification and clips; values differ by at most ")

    def test_long_lists_are_cut_and_json_has_all(self, plain: Path, tiny_store: Path) -> None:
        """560 clips are in the whole demo corpus alone."""
        result = compared(tiny_store, plain)
        lines = text(result)
        start = lines.index("560 clips only in A:")
        assert "… and 540 more; --json lists all" in lines[start + 21]
        values = json.loads(json.dumps(comparison_json(result), allow_nan=False))
        assert len(values["clips_only"]["a"]) == 560
        assert values["same"] is False
        assert len(values["values"]["measured"]) == 6

    def test_json_says_where_the_largest_error_is(self, plain: Path, single: Path) -> None:
        result = compared(plain, single)
        entry = comparison_json(result)["values"]["measured"][0]
        left = by_clip(plain, entry["feature"], VIEWS[entry["view"]])
        place = entry["at"]
        assert place["a"] == left[place["clip_id"]][place["coefficient"], place["frame"]]


def _damage(path: Path, fault: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    if fault == "lost":
        path.unlink()
        return
    path.write_bytes(
        {
            "flipped": data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :],
            "cut": data[:-1],
            "empty": b"",
            "longer": data + b" ",
        }[fault]
    )


def _sections(recipe: str) -> list[str]:
    """Head, mel, rms, noise, fast and tail of the tiny recipe."""
    head, mel, rms, noise, rest = recipe.replace("[[views]]", "[[features]]").split("[[features]]\n")[:5]
    fast, tail = rest.split("[model]")
    return [
        head,
        *(f"[[features]]\n{part}" for part in (mel, rms)),
        *(f"[[views]]\n{part}" for part in (noise, fast)),
        f"[model]{tail}",
    ]


def _replace_values(store: FeatureStore, value: float) -> None:
    """Let reading give zeros, and ``value`` at coefficient 5, frame 3 of the noisy mel of the first clip."""

    def read(clips: Any, views: Any, features: Any) -> dict[str, npt.NDArray[np.floating]]:
        (name,) = features
        shape = (1, len(clips), store.spec.coefficients[name], store.spec.frames)
        values = np.zeros(shape, store.spec.storage.dtype)
        if name == "mel" and tuple(views) == (1,):
            values[0, 0, 5, 3] = value
        return {name: values}

    store.read = read  # type: ignore[method-assign,assignment]


def _with_hashes(store: Path, of: Path | None, folder: Path) -> Path:
    """A copy whose ``store.json`` gives its shards the hashes of another store or zeros, and its digest."""
    from featurestore.format.documents import StoreDocument
    from featurestore.format.seal import seal, unseal

    path = Path(shutil.copytree(store, folder / "copy.zarr"))
    document = json.loads(unseal((path / STORE_JSON).read_bytes())[0])
    other = json.loads((of / STORE_JSON).read_text())["objects"] if of else {}
    for name, entry in document["objects"].items():
        if "/c/" in name:
            document["objects"][name] = other.get(name) or {**entry, "sha256": "0" * 64}
    changed = StoreDocument.model_validate(document)
    document["digest"] = changed.computed_digest()
    (path / STORE_JSON).write_bytes(seal(json.dumps(document)))
    return path
