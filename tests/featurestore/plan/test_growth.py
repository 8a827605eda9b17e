"""Stores that grow: only what is missing is computed, and the result is what a build at once would give."""

import shutil
from pathlib import Path

import pytest

from data.locate import locate
from featurestore.build import BuildReport, BuildRequest, build
from featurestore.cluster.unit_task import BuiltUnit, UnitTask, build_unit, library_versions
from featurestore.compare import compare
from featurestore.format.documents import UnitRecord, read_document
from featurestore.format.layout import is_shard, unit_record_path
from featurestore.places.folder import Folder
from featurestore.places.lease import exclusive
from featurestore.plan.growth import plan_work
from featurestore.plan.recordings import hash_recordings
from featurestore.plan.spec import SpecRequest
from featurestore.plan.units import plan_units
from featurestore.progress import Silent
from featurestore.store import FeatureStore
from featurestore.verify import verify
from pipelines.version import FEATURE_VERSION
from schemas.errors import StoreConflictError, StoreUnfinishedError
from tests.tiny_store import TINY_RECIPE, Builder

MORE_FEATURES = """
[[features]]
kind = "mfcc"
n_mfcc = 8
n_mels = 16
[[features]]
kind = "delta"
"""
MORE_VIEWS = """
[[views]]
name = "higher"
kind = "pitch"
semitones = [1.0, 3.0]
[[views]]
name = "slower"
kind = "stretch"
factor = 0.8
"""


@pytest.fixture
def larger(tmp_path: Path) -> dict[str, str]:
    """Recipes that hold all of the tiny one and more."""
    recipes = {
        "features": TINY_RECIPE.replace("[[views]]", f"{MORE_FEATURES}[[views]]", 1),
        "views": TINY_RECIPE.replace("[model]", f"{MORE_VIEWS}[model]"),
    }
    recipes["both"] = recipes["features"].replace("[model]", f"{MORE_VIEWS}[model]")
    paths = {}
    for name, text in recipes.items():
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        paths[name] = str(path)
    return paths


def _build(out: Path, corpora: Path, recipe: str, **options: object) -> BuildReport:
    return build(BuildRequest(out, corpora, "demo", SpecRequest(recipe=recipe, **options)))  # type: ignore[arg-type]


def _shards(store: Path) -> dict[str, tuple[int, int]]:
    """Name → inode and time of change: what was written anew has others."""
    files = {name: (store / name).stat() for name in Folder(store).sizes() if is_shard(name)}
    return {name: (status.st_ino, status.st_mtime_ns) for name, status in files.items()}


def _has_all_and_kept(store: Path, before: dict[str, tuple[int, int]]) -> None:
    """The store is sound, has shards that it had not, and has written none of the old ones again."""
    after = _shards(store)
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)
    assert verify(store, full=True).ok
    assert verify(store).strangers == ()


class TestFeaturesAndViews:
    @pytest.mark.slow
    def test_only_what_is_missing_is_written(
        self, larger: dict[str, str], own_store: Path, whole_demo: Path, tmp_path: Path
    ) -> None:
        before = _shards(own_store)
        grown = _build(own_store, whole_demo, larger["both"])
        assert grown.units_built == 3
        _has_all_and_kept(own_store, before)
        at_once = _build(tmp_path / "once.zarr", whole_demo, larger["both"])
        assert grown.document.digest == at_once.document.digest

    @pytest.mark.parametrize("first", ["features", "views"])
    @pytest.mark.slow
    def test_step_by_step_and_then_nothing_to_do(
        self, first: str, larger: dict[str, str], own_small_store: Path, small_demo: Path, tmp_path: Path
    ) -> None:
        for step in (first, "both"):
            before = _shards(own_small_store)
            grown = _build(own_small_store, small_demo, larger[step])
            _has_all_and_kept(own_small_store, before)
            at_once = _build(tmp_path / f"{step}.zarr", small_demo, larger[step])
            assert grown.document.digest == at_once.document.digest
        assert _build(own_small_store, small_demo, larger["both"]).units_built == 0

    def test_a_smaller_recipe_finds_all_that_it_needs(
        self, larger: dict[str, str], tiny_recipe: str, own_small_store: Path, small_demo: Path
    ) -> None:
        grown = _build(own_small_store, small_demo, larger["both"])
        again = _build(own_small_store, small_demo, tiny_recipe)
        assert (again.units_built, again.document.digest) == (0, grown.document.digest)

    def test_features_are_added_by_name(self, own_small_store: Path, small_demo: Path) -> None:
        report = build(BuildRequest(own_small_store, small_demo, "demo", SpecRequest(features="zcr")))
        assert list(report.document.spec.coefficients) == ["mel", "rms", "zcr"]
        assert verify(own_small_store, full=True).ok

    def test_a_slope_is_added_to_what_it_is_the_slope_of(
        self, larger: dict[str, str], own_small_store: Path, small_demo: Path
    ) -> None:
        build(BuildRequest(own_small_store, small_demo, "demo", SpecRequest(features="mfcc")))
        report = build(BuildRequest(own_small_store, small_demo, "demo", SpecRequest(features="delta")))
        assert list(report.document.spec.coefficients) == ["mel", "rms", "mfcc", "delta"]
        assert verify(own_small_store, full=True).ok

    @pytest.mark.slow
    def test_a_unit_that_grows_twice_is_the_same_as_once(
        self, larger: dict[str, str], own_store: Path, whole_demo: Path
    ) -> None:
        """As after a worker that died between the statistics and the record."""
        record, statistics = (own_store / f"records/demo/00001.{kind}" for kind in ("json", "parquet"))
        ungrown = record.read_bytes()
        spec = _build(own_store, whole_demo, larger["both"]).document.spec
        after = record.read_bytes(), statistics.read_bytes()
        record.write_bytes(ungrown)
        place = Folder(own_store)
        ((corpus, path),) = locate("demo", whole_demo).found
        clips = hash_recordings(corpus.scan(path), Silent())
        unit = plan_units("demo", clips, spec, FEATURE_VERSION, ())[1]
        work = plan_work(unit, spec, read_document(place, unit_record_path("demo", 1), UnitRecord))
        assert work is not None
        assert work.existing is not None
        with exclusive(place) as token:
            answer = build_unit(UnitTask(work, place, token, "cpu", "soundfile", library_versions()))
        assert isinstance(answer, BuiltUnit), answer
        assert (record.read_bytes(), statistics.read_bytes()) == after

    def test_another_feature_of_the_same_name_is_a_conflict(
        self, small_store: Path, small_demo: Path, tmp_path: Path
    ) -> None:
        recipe = tmp_path / "other.toml"
        recipe.write_text(TINY_RECIPE.replace("n_mels = 16", "n_mels = 20"))
        with pytest.raises(StoreConflictError, match=r"n_mels: 16 in the store, 20 requested"):
            _build(small_store, small_demo, str(recipe))

    def test_a_view_before_those_that_stand_is_a_conflict(
        self, small_store: Path, small_demo: Path, tmp_path: Path
    ) -> None:
        recipe = tmp_path / "other.toml"
        view = '[[views]]\nname = "first"\nkind = "noise"\nsnr_db = 5.0\n'
        recipe.write_text(TINY_RECIPE.replace("[[views]]", f"{view}[[views]]", 1))
        with pytest.raises(StoreConflictError, match="name: noise in the store, first requested"):
            _build(small_store, small_demo, str(recipe))

    def test_corpora_that_are_not_asked_for_must_grow_too(
        self, larger: dict[str, str], own_small_store: Path, small_demo: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "mine" / "angry"
        folder.mkdir(parents=True)
        shutil.copy(next((small_demo / "demo").glob("f01/*angry*")), folder / "one.wav")
        request = BuildRequest(
            own_small_store, tmp_path, f"mine={folder.parent}", SpecRequest(recipe=larger["views"])
        )
        with pytest.raises(StoreUnfinishedError, match=r"demo in .* lacks requested features or views"):
            build(request)
        assert verify(own_small_store, full=True).ok

    def test_a_recording_that_changed_is_built_whole(
        self, larger: dict[str, str], own_demo: Path, tiny_recipe: str, tmp_path: Path
    ) -> None:
        out = tmp_path / "s.zarr"
        _build(out, own_demo, tiny_recipe)
        one, other, *_ = sorted((own_demo / "demo").glob("f01/*.wav"))
        shutil.copyfile(other, one)
        grown = _build(out, own_demo, larger["features"])
        at_once = _build(tmp_path / "once.zarr", own_demo, larger["features"])
        assert grown.document.digest == at_once.document.digest


class TestClips:
    def test_a_removed_recording_rebuilds_its_unit_alone(
        self, own_store: Path, whole_demo: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        corpora, out = tmp_path / "corpora", own_store
        shutil.copytree(whole_demo, corpora)
        before, whole = _shards(out), FeatureStore.open(out)
        gone = whole.manifest.iloc[300]
        truth = whole.read([299, 301, 600], (0, 1, 2))
        (corpora / "demo" / gone["path"]).unlink()
        report = tiny_build(out, corpora)
        assert report.units_built == 1
        changed = {name for name, state in _shards(out).items() if state != before[name]}
        assert {name.split("/")[4] for name in changed} == {"1"}
        store = FeatureStore.open(out)
        assert (len(store.manifest), store.document.datasets["demo"].rows) == (671, 672)
        assert gone["clip_id"] not in set(store.manifest["clip_id"])
        assert store.manifest["row"].tolist() == [row for row in range(672) if row != 300]
        for name, values in store.read([299, 300, 599], (0, 1, 2)).items():
            assert (values == truth[name]).all()
        assert verify(out, full=True).ok
        assert tiny_build(out, corpora).units_built == 0

        shutil.copytree(whole_demo, corpora, dirs_exist_ok=True)
        assert tiny_build(out, corpora).units_built == 1
        assert FeatureStore.open(out).digest == whole.digest

    def test_a_changed_recording_rebuilds_its_unit_alone(
        self, own_store: Path, whole_demo: Path, tiny_build: Builder, tmp_path: Path
    ) -> None:
        corpora, out = tmp_path / "corpora", own_store
        shutil.copytree(whole_demo, corpora)
        old = shutil.copytree(out, tmp_path / "old.zarr")
        manifest = FeatureStore.open(out).manifest
        one, other = manifest.iloc[600], manifest.iloc[601]
        shutil.copyfile(corpora / "demo" / other["path"], corpora / "demo" / one["path"])
        assert tiny_build(out, corpora).units_built == 1
        result = compare(FeatureStore.open(old), FeatureStore.open(out))
        assert not result.same
        assert {difference.column for difference in result.columns} >= {"audio_sha256"}
        assert verify(out, full=True).ok

    def test_vacant_rows_grow_with_the_rest(
        self, larger: dict[str, str], tiny_recipe: str, own_demo: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "s.zarr"
        _build(out, own_demo, tiny_recipe)
        sorted((own_demo / "demo").glob("f02/*.wav"))[1].unlink()
        _build(out, own_demo, tiny_recipe)
        report = _build(out, own_demo, larger["both"])
        assert report.document.datasets["demo"].rows == 112
        assert report.document.datasets["demo"].clips == 111
        assert verify(out, full=True).ok
        store = FeatureStore.open(out)
        again = _build(tmp_path / "once.zarr", own_demo, larger["both"])
        result = compare(store, FeatureStore.open(again.store))
        assert result.same  # the same clips and numbers, in other rows
