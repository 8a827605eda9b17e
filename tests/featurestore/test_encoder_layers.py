"""Layers of encoders lie by themselves: they are read, fetched and shared one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray

from featurestore.compare import compare
from featurestore.format.documents import write_document
from featurestore.format.layout import STORE_JSON, shard_path
from featurestore.places.folder import Folder
from featurestore.plan.spec import SpecRequest, extended_spec, new_spec
from featurestore.read.selection import Layers
from featurestore.read.spans import Span
from featurestore.sharing.pull import pull
from featurestore.sharing.selection import PartSelection
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import StoreConflictError, StoreDamagedError, UsageError
from tests.encoder_store import POOLED, build_with, encoder_recipe
from tests.pipelines.encoders.saved import WHISPER
from tests.servers.web import web_server

WIDTH = WHISPER["d_model"]
CLIPS = [0, 40, 3]


@pytest.fixture(scope="module")
def later_layer(small_demo: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store built with only the later of the two pooled layers. Shared: do not change it."""
    folder = tmp_path_factory.mktemp("later")
    recipe = folder / "later.toml"
    recipe.write_text(encoder_recipe(encoders=POOLED.replace("[1, 3]", "[3]")))
    build_with(folder / "later.zarr", small_demo, recipe, encoder)
    return folder / "later.zarr"


def test_a_layer_is_its_part_of_all(encoder_store: Path) -> None:
    store = FeatureStore.open(encoder_store)
    whole = store.read(CLIPS, (0, 2), ("pooled",))["pooled"]
    first, last = whole[:, :, : 2 * WIDTH], whole[:, :, 2 * WIDTH :]
    assert np.array_equal(store.read(CLIPS, (0, 2), ("pooled",), layers=[1])["pooled"], first)
    swapped = store.read(CLIPS, (0, 2), ("pooled",), layers={"pooled": [3, 1]})["pooled"]
    assert np.array_equal(swapped, np.concatenate([last, first], axis=2))


def test_a_store_from_before_layers_lay_by_themselves_is_refused_as_old(
    encoder_store: Path, tmp_path: Path
) -> None:
    document = FeatureStore.open(encoder_store).document
    joined = {name: entry for name, entry in document.objects.items() if "_layer/" not in name}
    old = document.model_copy(update={"objects": joined})
    old = old.model_copy(update={"digest": old.computed_digest()})
    write_document(Folder(tmp_path), STORE_JSON, old)
    with pytest.raises(StoreConflictError, match="older version, which stored all layers of pooled"):
        FeatureStore.open(tmp_path)


def test_a_mapping_leaves_other_encoders_whole(encoder_store: Path) -> None:
    store = FeatureStore.open(encoder_store)
    found = store.read(CLIPS, (0,), ("mel", "pooled", "framed"), layers={"pooled": [3]})
    whole = store.read(CLIPS, (0,))
    assert found["pooled"].shape == (1, 3, 2 * WIDTH, 1)
    assert np.array_equal(found["framed"], whole["framed"])
    assert np.array_equal(found["mel"], whole["mel"])


def test_streamed_layers_are_those_that_are_read(encoder_store: Path) -> None:
    store = FeatureStore.open(encoder_store)
    out = np.zeros((7, 2 * WIDTH, 1), np.float16)
    reader = store.span_reader(("pooled",), layers=[3])
    reader.read_into(out, [Span("demo", 1, 10, 14, 0), Span("demo", 0, 50, 52, 5)])
    rows = store.manifest.reset_index().set_index("row")["index"]
    first = store.read(rows.loc[10:13].to_numpy(), (1,), ("pooled",), layers=[3])["pooled"][0]
    second = store.read(rows.loc[50:51].to_numpy(), (0,), ("pooled",), layers=[3])["pooled"][0]
    assert np.array_equal(out, np.concatenate([first, np.zeros_like(out[:1]), second]))


def test_only_the_layers_that_are_read_must_be_intact(encoder_store: Path, tmp_path: Path) -> None:
    pull(str(encoder_store), tmp_path / "own.zarr")
    lost = shard_path("demo", "pooled", 0, 0, 1)
    (tmp_path / "own.zarr" / lost).unlink()
    store = FeatureStore.open(tmp_path / "own.zarr")
    assert np.isfinite(store.read([0], (0,), ("pooled",), layers=[1])["pooled"]).all()
    with pytest.raises(StoreDamagedError, match=lost):
        store.read([0], (0,), ("pooled",))
    with pytest.raises(StoreDamagedError, match=lost):
        store.span_reader(("pooled",)).read_into(
            np.zeros((1, 4 * WIDTH, 1), np.float16), [Span("demo", 0, 0, 1, 0)]
        )


def test_only_the_layers_that_are_read_are_fetched(
    encoder_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    with web_server(encoder_store) as web:
        FeatureStore.open(web.url).read(CLIPS, (1,), ("pooled",), layers=[3])
    asked = {path.lstrip("/") for _, path, _ in web.requests if "/c/" in path}
    assert asked == {shard_path("demo", "pooled", 1, 0, 1)}


@pytest.mark.parametrize(
    ("features", "layers", "message"),
    [
        (("pooled",), [2], "the store has no layer 2 of pooled; it has 1, 3"),
        (("pooled",), [], "must be different, and at least one"),
        (("pooled",), [1, 1], r"layers \[1, 1\] of pooled must be different"),
        (("mel",), [1], "layers are of encoders, but mel have none"),
        (("pooled",), {"framed": [2]}, "layers are requested of 'framed', which is not one of the encoders"),
    ],
)
def test_wrong_layers_are_named(
    features: tuple[str, ...], layers: Layers, message: str, encoder_store: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        FeatureStore.open(encoder_store).read([0], (0,), features, layers)


def test_a_part_with_a_layer_is_what_a_build_makes(
    encoder_store: Path, later_layer: Path, tmp_path: Path
) -> None:
    selection = PartSelection.of(features="mel,rms,pooled", layers=(3,))
    report = pull(str(encoder_store), tmp_path / "part.zarr", selection)
    assert report.digest == FeatureStore.open(later_layer).digest
    assert verify(tmp_path / "part.zarr", full=True).ok
    speakers = ["demo/f01", "demo/m03"]
    whole = FeatureStore.open(encoder_store).statistics(speakers)["pooled"]
    part = FeatureStore.open(tmp_path / "part.zarr").statistics(speakers)["pooled"]
    assert np.array_equal(part.mean, whole.mean[2 * WIDTH :])
    assert np.array_equal(part.std, whole.std[2 * WIDTH :])


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (PartSelection.of(layers=(3,)), "no layer 3 of framed; it has 2"),
        (PartSelection.of(features="mel", layers=(3,)), "this part has none; leave --layers out"),
    ],
)
def test_a_part_that_the_store_lacks_is_named(
    selection: PartSelection, message: str, encoder_store: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        pull(str(encoder_store), tmp_path / "part.zarr", selection)
    assert not (tmp_path / "part.zarr").exists()


def test_stores_with_other_layers_are_not_compared_value_by_value(
    encoder_store: Path, later_layer: Path, tmp_path: Path
) -> None:
    pull(
        str(encoder_store), tmp_path / "first.zarr", PartSelection.of(features="mel,rms,pooled", layers=(1,))
    )
    found = compare(FeatureStore.open(tmp_path / "first.zarr"), FeatureStore.open(later_layer))
    assert not found.same
    assert found.numbers.incomparable == {"pooled": "layers 1 in A, 3 in B"}


def test_coordinates_name_layer_statistic_and_time(encoder_store: Path) -> None:
    for tree in (
        FeatureStore.open(encoder_store).to_xarray(),
        xarray.open_datatree(encoder_store, engine="zarr"),
    ):
        demo = tree["demo"].to_dataset()
        pooled = demo["pooled"]
        assert pooled["pooled_layer"].values.tolist() == [1] * 2 * WIDTH + [3] * 2 * WIDTH
        assert pooled["pooled_statistic"].attrs["flag_meanings"] == "mean std"
        assert pooled["pooled_statistic"].values.tolist() == ([0] * WIDTH + [1] * WIDTH) * 2
        assert set(demo["framed"]["framed_layer"].values) == {2}
        # Whisper's frames are centred on multiples of 320 samples; two are averaged.
        assert np.allclose(demo["framed_frame"], 0.04 * np.arange(13) + 0.01)
    store = FeatureStore.open(encoder_store)
    means = pooled.where((pooled["pooled_layer"] == 3) & (pooled["pooled_statistic"] == 0), drop=True)
    expected = store.read(range(len(store.manifest)), (0,), ("pooled",), layers=[3])["pooled"][0, :, :WIDTH]
    assert np.array_equal(means[0].values[store.manifest["row"]], expected)


def test_options_replace_the_layers_of_a_recipe(both_recipe: Path, encoder: Path) -> None:
    request = SpecRequest(
        str(both_recipe), features="pooled,mel", layers=(2,), pooling="mean", encoders={"pooled": encoder}
    )
    (pooled,) = new_spec(request).encoders
    assert (pooled.layers, pooled.pooling) == ((2,), "mean")


def test_layers_of_a_stored_encoder_cannot_change(encoder_store: Path, encoder: Path) -> None:
    existing = FeatureStore.open(encoder_store).spec
    request = SpecRequest(features="pooled", layers=(1, 2), encoders={"pooled": encoder})
    with pytest.raises(StoreConflictError, match=r"features\.2\.layers: .*1, 3.* in the store"):
        extended_spec(request, existing, "x.zarr")
    same = SpecRequest(features="pooled", layers=(1, 3))
    assert extended_spec(same, existing, "x.zarr") == existing
