"""Builds straight to object storage, and stores read from there through the cache."""

from pathlib import Path

import numpy as np
import pytest

from featurestore.build import BuildReport, BuildRequest, build
from featurestore.cluster.request import ClusterRequest
from featurestore.format.layout import STORE_JSON, shard_path
from featurestore.places.choose import place_at
from featurestore.places.lease import LeaseTimes, exclusive
from featurestore.places.names import LOCK, TOKEN
from featurestore.places.remote import Remote
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from featurestore.verify import Fault, verify
from schemas.errors import StoreBusyError, StoreChangedError, StoreDamagedError, StoreUnfinishedError


def _build(out: str, corpora: Path, recipe: str, **options: object) -> BuildReport:
    return build(BuildRequest(out, corpora, "demo", SpecRequest(recipe=recipe), **options))  # type: ignore[arg-type]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class TestBuilding:
    @pytest.mark.slow
    def test_the_same_store_as_in_a_folder(
        self, s3_url: str, whole_demo: Path, tiny_recipe: str, tiny_store: Path
    ) -> None:
        report = _build(s3_url, whole_demo, tiny_recipe)
        assert report.document.digest == FeatureStore.open(tiny_store).digest
        result = verify(s3_url, full=True)
        assert (result.ok, result.strangers, result.decoded) == (True, (), False)
        place = place_at(s3_url)
        assert place.size(LOCK) is None
        assert place.size(TOKEN) is None
        assert _build(s3_url, whole_demo, tiny_recipe).units_built == 0

    @pytest.mark.slow
    def test_a_lost_object_is_built_again_and_nothing_else(
        self, s3_url: str, whole_demo: Path, tiny_recipe: str, tiny_store: Path
    ) -> None:
        _build(s3_url, whole_demo, tiny_recipe)
        name = shard_path("demo", "mel", 1, 2)
        place_at(s3_url).delete([name])
        (finding,) = verify(s3_url).findings
        assert (finding.name, finding.fault, len(finding.clips)) == (name, Fault.MISSING, 160)
        report = _build(s3_url, whole_demo, tiny_recipe)
        assert report.units_built == 1
        assert report.document.digest == FeatureStore.open(tiny_store).digest

    def test_a_feature_is_added_in_place(self, s3_url: str, small_demo: Path, tiny_recipe: str) -> None:
        _build(s3_url, small_demo, tiny_recipe)
        grown = build(BuildRequest(s3_url, small_demo, "demo", SpecRequest(features="zcr")))
        assert list(grown.document.spec.coefficients) == ["mel", "rms", "zcr"]
        assert verify(s3_url, full=True).ok

    def test_a_second_builder_is_turned_away(self, s3_url: str, small_demo: Path, tiny_recipe: str) -> None:
        place = place_at(s3_url)
        times = LeaseTimes(beat=0.2, patience=2.0, settle=0.1)
        with (
            exclusive(place, times),
            pytest.raises(StoreBusyError, match="another process is building s3://"),
        ):
            _build(s3_url, small_demo, tiny_recipe)

    @pytest.mark.slow
    def test_workers_write_straight_to_it(
        self, s3_url: str, whole_demo: Path, tiny_recipe: str, tiny_store: Path
    ) -> None:
        report = _build(s3_url, whole_demo, tiny_recipe, cluster=ClusterRequest(workers=2))
        assert report.document.digest == FeatureStore.open(tiny_store).digest
        assert verify(s3_url, full=True).ok


@pytest.mark.usefixtures("cache")
class TestReading:
    @pytest.fixture
    def remote(self, s3_url: str, tiny_store: Path) -> str:
        """The tiny store, object by object, at a URL."""
        place = place_at(s3_url)
        for name in FeatureStore.open(tiny_store).document.objects:
            place.write(name, (tiny_store / name).read_bytes())
        place.write(STORE_JSON, (tiny_store / STORE_JSON).read_bytes())
        return s3_url

    def test_the_same_numbers_and_tables(self, remote: str, tiny_store: Path) -> None:
        here, there = FeatureStore.open(tiny_store), FeatureStore.open(remote)
        assert there.manifest.equals(here.manifest)
        assert there.views.equals(here.views)
        for name, values in there.read([0, 300, 671], (0, 2)).items():
            assert np.array_equal(values, here.read([0, 300, 671], (0, 2))[name])
        speakers = here.manifest["speaker"].unique()[:3]
        assert np.array_equal(there.statistics(speakers)["mel"].mean, here.statistics(speakers)["mel"].mean)
        tree = there.to_xarray()
        expected = here.arrays["demo"]["mel"][1, 5]
        assert np.array_equal(tree["demo"]["mel"].isel(view=1, clip=5).to_numpy(), expected)

    def test_only_what_is_asked_for_comes_and_it_comes_once(self, remote: str, cache: Path) -> None:
        FeatureStore.open(remote).read([0, 1], (0,), ["mel"])
        shards = [path for path in cache.rglob("*") if "c" in path.parts and path.is_file()]
        assert len(shards) == 1
        place_at(remote).delete([shard_path("demo", "mel", 0, 0)])
        assert FeatureStore.open(remote).read([0, 1], (0,), ["mel"])

    def test_a_damaged_cache_is_fetched_again(self, remote: str, cache: Path, tiny_store: Path) -> None:
        FeatureStore.open(remote).read([0, 1], (0,), ["mel"])
        (shard,) = [path for path in cache.rglob("*") if "c" in path.parts and path.is_file()]
        shard.write_bytes(bytes(len(shard.read_bytes())))
        truth = FeatureStore.open(tiny_store).read([0, 1], (0,), ["mel"])["mel"]
        assert np.array_equal(FeatureStore.open(remote).read([0, 1], (0,), ["mel"])["mel"], truth)

    def test_a_damaged_object_is_an_error_that_names_it(self, remote: str) -> None:
        name = shard_path("demo", "rms", 1, 1)
        place = place_at(remote)
        data = bytearray(place.read(name, 10**7))
        data[100] ^= 1
        place.write(name, bytes(data))
        store = FeatureStore.open(remote)
        assert store.read([0], (1,), ["rms"])
        with pytest.raises(StoreDamagedError, match=f"{name} .*clips demo/f07_s1_fearful_1"):
            store.read([256], (1,), ["rms"])

    def test_a_store_that_is_built_anew_while_it_is_open(self, remote: str) -> None:
        """Shards that the cache holds are those of the tables; others are not mixed with them."""
        store = FeatureStore.open(remote)
        store.read([0], (0,), ["mel"])
        place_at(remote).delete([STORE_JSON, shard_path("demo", "mel", 0, 1)])
        assert store.read([1], (0,), ["mel"])
        with pytest.raises(StoreChangedError, match="being rebuilt"):
            store.read([300], (0,), ["mel"])
        with pytest.raises(StoreUnfinishedError):
            FeatureStore.open(remote)

    def test_a_place_can_be_sent_to_a_worker(self, remote: str) -> None:
        import pickle

        place = pickle.loads(pickle.dumps(place_at(remote)))
        assert isinstance(place, Remote)
        assert place.size(STORE_JSON)
