"""What a stream says of chunks that are gone or hold something else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from featurestore.read.objects import Objects
from featurestore.store import FeatureStore
from schemas.errors import StoreDamagedError
from training.loader.order import Order, Position
from training.loader.stream import StreamSource
from training.samples.samples import Samples, cross

CPU = torch.device("cpu")
SHARD = "demo/mel/c/1/1/0/0"


@pytest.fixture
def own(two_corpora: Path, tmp_path: Path) -> Path:
    shutil.copytree(two_corpora, tmp_path / "own.zarr")
    return tmp_path / "own.zarr"


def _flip(shard: Path) -> None:
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)


def _remove(shard: Path) -> None:
    shard.unlink()


def _read(store: FeatureStore) -> None:
    clips = np.arange(len(store.manifest))
    samples: Samples = cross(clips, clips, (0, 1))
    order = Order.of(store, samples, 64, window=6)
    for _ in StreamSource(store, samples, ("mel", "rms"), CPU).batches(order, Position(0)):
        pass


@pytest.mark.parametrize("harm", [_flip, _remove])
def test_a_shard_that_is_not_what_was_written_is_named_with_its_clips(
    own: Path, harm: Callable[[Path], None], pipeline: str
) -> None:
    store = FeatureStore.open(own)
    harm(own / SHARD)
    first = store.manifest["clip_id"][(store.manifest["dataset"] == "demo") & (store.manifest["row"] == 256)]
    with pytest.raises(StoreDamagedError, match=rf"{SHARD} in .* \(clips {first.item()} to demo/"):
        _read(store)


def test_a_chunk_that_cannot_be_decoded_is_named_with_its_clips(
    own: Path, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage that comes after the hash: between hashing and decoding, or in memory."""
    store = FeatureStore.open(own)
    _flip(own / SHARD)
    monkeypatch.setattr(Objects, "ensure", lambda self, names: None)
    rows = store.manifest[store.manifest["dataset"] == "demo"].set_index("row")["clip_id"]
    chunk = f"rows 256 to 287 of demo \\(clips {rows[256]} to {rows[287]}\\)"
    with pytest.raises(StoreDamagedError, match=rf"{SHARD} cannot be decoded .*{chunk}"):
        _read(store)


def test_a_chunk_that_is_gone_is_not_taken_for_nan(
    own: Path, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore.open(own)
    _remove(own / SHARD)
    monkeypatch.setattr(Objects, "ensure", lambda self, names: None)
    with pytest.raises(StoreDamagedError, match=rf"{SHARD} has no data for row \d+ of demo \(clip demo/"):
        _read(store)


def test_the_threads_of_a_stream_that_failed_have_ended(own: Path) -> None:
    import threading

    _remove(own / SHARD)
    with pytest.raises(StoreDamagedError):
        _read(FeatureStore.open(own))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loader")]
