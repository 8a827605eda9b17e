"""Zarr metadata and records from a stranger: what they say is not followed, or is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from featurestore.format.seal import unseal
from featurestore.format.zarr_metadata import metadata_objects
from featurestore.store import FeatureStore
from tests.hostile.forge import Forge, forged, zstd_frame
from tests.hostile.probe import Probe

ARRAY = "demo/mel/zarr.json"

MARKER = "zarr-metadata-was-followed"


def _codec(name: str, **configuration: Any) -> Callable[[dict[str, Any]], None]:
    return lambda metadata: metadata.update(codecs=[{"name": name, "configuration": configuration}])


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a codec that is a module": _codec("os.system", command=f"touch {MARKER}"),
    "a codec that is a pickle": _codec("numcodecs.pickle", protocol=5),
    "a codec of JSON objects": _codec("numcodecs.json2"),
    "strings of any length": lambda metadata: metadata.update(
        data_type="string", fill_value="", codecs=[{"name": "vlen-utf8"}]
    ),
    "objects": lambda metadata: metadata.update(data_type="object", fill_value=None),
    "another number type": lambda metadata: metadata.update(data_type="float64"),
    "numbers turned round": lambda metadata: metadata["codecs"][0]["configuration"]["codecs"][0].update(
        configuration={"endian": "big"}
    ),
    "another fill value": lambda metadata: metadata.update(fill_value=0.0),
    "an exabyte of clips": lambda metadata: metadata.update(shape=[3, 2**50, 16, 32]),
    "fewer than no clips": lambda metadata: metadata.update(shape=[3, -1, 16, 32]),
    "other chunks": lambda metadata: metadata.update(
        chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1, 1, 1, 1]}}
    ),
    "another place for chunks": lambda metadata: metadata.update(
        chunk_key_encoding={"name": "default", "configuration": {"separator": "/../../"}}
    ),
    "a transformer of storage": lambda metadata: metadata.update(storage_transformers=[{"name": "os"}]),
    "format 2": lambda metadata: metadata.update(zarr_format=2),
    "a group": lambda metadata: metadata.update(node_type="group"),
    "attributes a thousand deep": lambda metadata: metadata.update(attributes=_deep(150)),
}


def _deep(levels: int) -> Any:
    return {"x": _deep(levels - 1)} if levels else {}


def _changed_everywhere(forge: Forge, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the array's own metadata and its copy in the root's consolidated metadata."""
    forge.edit_json(ARRAY, change)
    forge.edit_json(
        "zarr.json", lambda root: change(root["consolidated_metadata"]["metadata"]["demo/mel"]) and None
    )
    forge.seal()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_zarr_json_says_changes_no_number_and_runs_nothing(
    change: Callable[[dict[str, Any]], object], tiny_store: Path, tmp_path: Path, probe: Probe
) -> None:
    forge = forged(tiny_store, tmp_path / "hostile.zarr")
    _changed_everywhere(forge, change)
    clips, views = [0, 300, 671], (0, 2)
    expected = FeatureStore.open(tiny_store).read(clips, views)
    for feature, values in FeatureStore.open(forge.folder).read(clips, views).items():
        assert np.array_equal(values, expected[feature])
    outcome = probe("xarray", forge.folder)
    assert outcome.kind == "nothing", outcome
    assert outcome.grown_mb < 200, outcome
    stored = zarr.open_group(tiny_store, mode="r")
    tree = FeatureStore.open(forge.folder).to_xarray()
    for name in ("mel", "rms", "frame", "mel_band"):
        assert np.array_equal(tree["demo"][name].to_numpy(), stored[f"demo/{name}"][:])
    assert not list(tmp_path.rglob(f"*{MARKER}*"))
    assert not Path(MARKER).exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", '{"zarr_format": 3', '{"x":' * 10_000, "\ud800"],
    ids=["empty", "a list", "null", "cut off", "deep", "half a surrogate"],
)
@pytest.mark.parametrize("name", [ARRAY, "zarr.json", "demo/zarr.json"])
def test_zarr_json_that_is_none(name: str, text: str, tiny_store: Path, tmp_path: Path, probe: Probe) -> None:
    forge = forged(tiny_store, tmp_path / "hostile.zarr")
    forge.put(name, text.encode("utf-8", "surrogatepass"))
    forge.seal()
    assert probe("read", forge.folder).kind == "nothing"
    assert probe("xarray", forge.folder).kind == "nothing"


def test_metadata_made_from_the_document_are_those_that_a_build_writes(tiny_store: Path) -> None:
    document = FeatureStore.open(tiny_store).document
    made = metadata_objects(document.spec, document.datasets)
    written = {path.relative_to(tiny_store).as_posix(): path for path in tiny_store.rglob("zarr.json")}
    assert made.keys() == written.keys()
    for name, path in written.items():
        assert json.loads(made[name]) == json.loads(path.read_bytes())


@pytest.mark.parametrize(
    "chunk", [zstd_frame(2**17, 10**12), zstd_frame(2**31), zstd_frame(2**17) * 5_000, b"", b"x" * 256]
)
@pytest.mark.parametrize("name", ["demo/frame/c/0", "demo/mel_band/c/0"])
def test_coordinates_that_expand_are_refused(
    name: str, chunk: bytes, tiny_store: Path, tmp_path: Path, probe: Probe
) -> None:
    forge = forged(tiny_store, tmp_path / "hostile.zarr")
    forge.put(name, chunk)
    forge.seal()
    outcome = probe("xarray", forge.folder)
    assert outcome.reported, outcome
    assert name in outcome.message
    assert outcome.grown_mb < 200, outcome


def _clips(change: Callable[[list[Any]], object]) -> Callable[[dict[str, Any]], None]:
    def make(record: dict[str, Any]) -> None:
        change(record["clips"])

    return make


RECORDS: dict[str, Callable[[dict[str, Any]], object]] = {
    "objects elsewhere": lambda record: record["objects"].update(
        {"../../x": {"bytes": 1, "sha256": "0" * 64}}
    ),
    "another corpus": lambda record: record.update(dataset="../x"),
    "another unit": lambda record: record.update(unit=10**30),
    "a clip that is no clip": _clips(lambda clips: clips.__setitem__(0, {"clip_id": ["x"]})),
    "no clips": _clips(lambda clips: clips.clear()),
    "clips of numbers": _clips(lambda clips: clips[0].update(clip_id=7)),
    "frames of no sense": lambda record: record.update(valid_frames=[[10**300]]),
    "keys of no sense": lambda record: record.update(keys=[]),
}


@pytest.mark.parametrize("change", RECORDS.values(), ids=RECORDS.keys())
@pytest.mark.parametrize("action", ["read", "verify"])
def test_records_that_cannot_be_true(
    action: str, change: Callable[[dict[str, Any]], object], tiny_store: Path, tmp_path: Path, probe: Probe
) -> None:
    """A reader has no use for them but to name the clips of a damaged shard, and gives up on that."""
    forge = forged(tiny_store, tmp_path / "hostile.zarr")
    record = json.loads(unseal((forge.folder / "records/demo/00000.json").read_bytes())[0])
    change(record)
    forge.put_json("records/demo/00000.json", record)
    forge.seal()
    outcome = probe(action, forge.folder)
    assert outcome.kind == "nothing" or outcome.reported, outcome
    shard = forge.folder / "demo/mel/c/0/0/0/0"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\0")
    outcome = probe(action, forge.folder)
    assert outcome.reported, outcome
    assert "demo/mel/c/0/0/0/0" in outcome.message
