"""Stores with the view before trimming: built, grown, by processes and in batches, and heard."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch

from featurestore.build import BuildReport, BuildRequest, build
from featurestore.compute import worker_processes
from featurestore.format.layout import is_shard
from featurestore.listen.clip import ListenRequest
from featurestore.listen.listen import listen
from featurestore.places.folder import Folder
from featurestore.plan.spec import SpecRequest
from featurestore.report.tables import views_table
from featurestore.store import FeatureStore
from featurestore.verify import verify
from pipelines.pipeline import Pipeline
from schemas.errors import SpecError
from tests.featurestore.padded_batches import compute_in_batches
from tests.once import Once
from tests.tiny_store import TINY_RECIPE

TRIMMED = TINY_RECIPE.replace("[spectral]", "trim_db = 30.0\n[spectral]")
VIEW = '[[views]]\nname = "untrimmed"\nkind = "untrimmed"\n'
LAST, RATE, LENGTH = 3, 8000, 4000
SILENT, SHORT, LONG = "f01_s1_angry_1", "f01_s1_neutral_1", "f01_s1_fearful_1"


def _write(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="session")
def trimmed_recipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny recipe with trimming."""
    return _write(tmp_path_factory.mktemp("recipe"), "trimmed", TRIMMED)


@pytest.fixture(scope="session")
def untrimmed_recipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same, with the view after the others."""
    text = TRIMMED.replace("[model]", f"{VIEW}[model]")
    return _write(tmp_path_factory.mktemp("recipe"), "untrimmed", text)


@pytest.fixture(scope="session")
def quiet_margins(small_demo: Path, once: Once) -> Path:
    """Corpora root with one recording that is silent, one shorter than the window, and one that begins with
    more silence than the window has room for. Shared: do not change it."""

    def fill(root: Path) -> None:
        shutil.copytree(small_demo, root)
        files = {path.stem: path for path in sorted((root / "demo").rglob("*.wav"))}
        samples, rate = soundfile.read(files[SHORT])
        soundfile.write(files[SILENT], np.zeros(rate), rate)
        voice = samples[rate // 2 :][: rate // 5]
        soundfile.write(files[SHORT], np.concatenate([np.zeros(rate // 8), voice]), rate)
        soundfile.write(files[LONG], np.concatenate([np.zeros(rate), samples]), rate)

    return once("quiet-margins", fill)


def _build(out: Path, corpora: Path, recipe: str, jobs: int = 2) -> BuildReport:
    return build(BuildRequest(out, corpora, "demo", SpecRequest(recipe=recipe), jobs=jobs))


@pytest.fixture(scope="session")
def untrimmed_store(quiet_margins: Path, untrimmed_recipe: str, once: Once) -> Path:
    """A finished store with the view. Shared: do not change it."""
    return once("untrimmed.zarr", lambda out: _build(out, quiet_margins, untrimmed_recipe))


def _row(store: FeatureStore, stem: str) -> int:
    return list(store.manifest["clip_id"]).index(f"demo/{stem}")


def _whole(corpora: Path, stem: str) -> np.ndarray:
    """The recording at the rate of the store, cut to its window."""
    (file,) = (corpora / "demo").rglob(f"{stem}.wav")
    samples, rate = soundfile.read(file, dtype="float32")
    return np.asarray(soxr.resample(samples, rate, RATE, quality="HQ"))[:LENGTH]


class TestBuild:
    def test_its_features_are_those_of_a_store_without_trimming(
        self, untrimmed_store: Path, quiet_margins: Path, tiny_recipe: str, tmp_path: Path
    ) -> None:
        _build(tmp_path / "plain.zarr", quiet_margins, tiny_recipe)
        store, plain = FeatureStore.open(untrimmed_store), FeatureStore.open(tmp_path / "plain.zarr")
        clips = np.flatnonzero(store.manifest["status"] == "ok")
        assert len(clips) == len(store.manifest) - 1
        assert np.array_equal(store.valid_frames(clips, (LAST,)), plain.valid_frames(clips, (0,)))
        for name in ("mel", "rms"):
            ours, theirs = store.read(clips, (LAST,), (name,))[name], plain.read(clips, (0,), (name,))[name]
            assert np.array_equal(ours, theirs)
            assert not np.array_equal(ours, store.read(clips, (0,), (name,))[name])

    def test_the_table_of_views_describes_it(self, untrimmed_store: Path) -> None:
        store = FeatureStore.open(untrimmed_store)
        rows = store.views[store.views["view"] == LAST]
        assert set(rows["name"]) == set(rows["kind"]) == {"untrimmed"}
        assert rows["parameter"].isna().all()
        assert verify(untrimmed_store, full=True).ok
        assert views_table(store.spec).rows[LAST] == ("3", "untrimmed", "not trimmed", "")

    def test_a_silent_recording_is_bad_in_it_as_in_all_views(self, untrimmed_store: Path) -> None:
        store = FeatureStore.open(untrimmed_store)
        row = _row(store, SILENT)
        assert store.manifest["problem"][row].startswith("silent")
        assert np.isnan(store.read([row], (LAST,), ("mel",))["mel"]).all()
        assert store.valid_frames([row], (LAST,))[0, 0] == 0

    @pytest.mark.parametrize("stem", [SHORT, LONG])
    def test_its_valid_frames_are_those_of_the_recording_up_to_the_window(
        self, stem: str, untrimmed_store: Path, quiet_margins: Path
    ) -> None:
        store = FeatureStore.open(untrimmed_store)
        original, found = store.valid_frames([_row(store, stem)], (0, LAST))[:, 0]
        assert found == 1 + (len(_whole(quiet_margins, stem)) - 1) // 128
        assert found >= original

    @pytest.mark.slow
    def test_worker_processes_build_the_same_store(
        self,
        untrimmed_store: Path,
        quiet_margins: Path,
        untrimmed_recipe: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(worker_processes, "MANY_CLIPS", 1)
        report = _build(tmp_path / "processes.zarr", quiet_margins, untrimmed_recipe)
        assert report.document.digest == FeatureStore.open(untrimmed_store).digest

    def test_it_needs_trimming(self, small_demo: Path, tmp_path: Path) -> None:
        recipe = _write(tmp_path, "wrong", TINY_RECIPE.replace("[model]", f"{VIEW}[model]"))
        with pytest.raises(SpecError, match=r"view untrimmed would equal the original.*set audio\.trim_db"):
            _build(tmp_path / "wrong.zarr", small_demo, recipe)
        assert not (tmp_path / "wrong.zarr").exists()


@pytest.mark.parametrize(
    "many",
    [pytest.param(1, id="worker processes", marks=pytest.mark.slow), pytest.param(10_000, id="threads")],
)
def test_batches_fill_the_same_store(
    many: int,
    untrimmed_store: Path,
    quiet_margins: Path,
    untrimmed_recipe: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compute_in_batches(monkeypatch)
    monkeypatch.setattr(worker_processes, "MANY_CLIPS", many)
    _build(tmp_path / "gpu.zarr", quiet_margins, untrimmed_recipe)
    one, other = FeatureStore.open(untrimmed_store), FeatureStore.open(tmp_path / "gpu.zarr")
    clips = np.flatnonzero(one.manifest["status"] == "ok")
    assert np.array_equal(other.valid_frames(clips, range(4)), one.valid_frames(clips, range(4)))
    here, there = (store.read(clips, range(4), ("mel",))["mel"].astype(np.float32) for store in (one, other))
    assert np.abs(there - here).mean(axis=(1, 2, 3)).max() < 1e-2


class TestGrowth:
    @pytest.mark.slow
    def test_the_view_alone_is_added(
        self,
        untrimmed_store: Path,
        quiet_margins: Path,
        trimmed_recipe: str,
        untrimmed_recipe: str,
        tmp_path: Path,
    ) -> None:
        out = tmp_path / "grown.zarr"
        _build(out, quiet_margins, trimmed_recipe)
        before = {name: (out / name).stat().st_mtime_ns for name in Folder(out).sizes() if is_shard(name)}
        grown = _build(out, quiet_margins, untrimmed_recipe)
        assert {name: (out / name).stat().st_mtime_ns for name in before} == before
        assert grown.document.digest == FeatureStore.open(untrimmed_store).digest

    def test_a_recipe_without_it_finds_all_that_it_needs(
        self, untrimmed_store: Path, quiet_margins: Path, trimmed_recipe: str, tmp_path: Path
    ) -> None:
        out = Path(shutil.copytree(untrimmed_store, tmp_path / "own.zarr"))
        assert _build(out, quiet_margins, trimmed_recipe).units_built == 0


class TestListen:
    @pytest.mark.parametrize("stem", [SHORT, LONG, "f01_s1_happy_1"])
    def test_the_file_is_the_recording_without_the_cut(
        self, stem: str, untrimmed_store: Path, quiet_margins: Path, tmp_path: Path
    ) -> None:
        heard = listen(ListenRequest(str(untrimmed_store), f"demo/{stem}", quiet_margins), tmp_path / "out")
        view = heard.views[LAST]
        assert (view.view.kind, view.view.parameter) == ("untrimmed", None)
        assert np.array_equal(view.view.samples, _whole(quiet_margins, stem))
        samples, _ = soundfile.read(view.file.path)
        assert np.abs(samples - view.view.samples).max() <= 1 / 32_768

    def test_its_features_are_the_stored_ones(
        self, untrimmed_store: Path, quiet_margins: Path, tmp_path: Path
    ) -> None:
        heard = listen(ListenRequest(str(untrimmed_store), f"demo/{SHORT}", quiet_margins), tmp_path / "out")
        store = FeatureStore.open(untrimmed_store)
        bare = Pipeline(store.spec.model_copy(update={"views": ()}), torch.device("cpu"))
        computed = bare(["heard"], [heard.views[LAST].view.samples])
        stored = store.read([_row(store, SHORT)], (LAST,), ("mel",))["mel"]
        assert np.array_equal(computed.arrays["mel"][0, 0], stored[0, 0])
