"""A store at a URL: its objects come through the cache while they are streamed."""

from __future__ import annotations

import uuid
from pathlib import Path

import fsspec
import pytest
import torch

from featurestore.store import FeatureStore
from schemas.errors import StoreDamagedError
from training.loader.order import Order, Position
from training.loader.stream import StreamSource
from training.samples.samples import Samples

from .conftest import FEATURES

CPU = torch.device("cpu")


@pytest.fixture
def url(two_corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    url = f"memory://{uuid.uuid4().hex}/store"
    memory = fsspec.filesystem("memory")
    for file in two_corpora.rglob("*"):
        if file.is_file():
            memory.pipe_file(f"{url}/{file.relative_to(two_corpora).as_posix()}", file.read_bytes())
    return url


def test_a_store_elsewhere_streams_the_same_and_fetches_only_what_is_read(
    url: str, two_corpora: Path, samples: Samples, tmp_path: Path
) -> None:
    here, there = FeatureStore.open(two_corpora), FeatureStore.open(url)
    order = Order.of(here, samples, 40, window=7)
    assert Order.of(there, samples, 40, window=7).fingerprint == order.fingerprint
    near, far = (StreamSource(store, samples, FEATURES[:1], CPU) for store in (here, there))
    for epoch in (0, 1):
        position = Position(0, epoch)
        for one, other in zip(near.batches(order, position), far.batches(order, position), strict=True):
            assert torch.equal(one.features, other.features)
    fetched = {file.relative_to(there.objects.folder).parts[1] for file in there.objects.folder.rglob("0")}
    assert FEATURES[0] in fetched
    assert FEATURES[1] not in fetched


def test_an_object_that_is_missing_elsewhere_is_named(url: str, samples: Samples) -> None:
    store = FeatureStore.open(url)
    fsspec.filesystem("memory").rm(f"{url}/demo/rms/c/2/0/0/0")
    order = Order.of(store, samples, 40, window=7)
    with pytest.raises(StoreDamagedError, match=r"demo/rms/c/2/0/0/0 .* \(clips demo/"):
        list(StreamSource(store, samples, FEATURES, CPU).batches(order, Position(0)))
