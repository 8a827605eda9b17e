"""Streaming's threads: they end with the iterator, whatever ends it, and stand a spawned process."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from featurestore.store import FeatureStore
from training.loader.order import Order, Position
from training.loader.stream import StreamSource
from training.samples.samples import Samples, cross

from .conftest import FEATURES

CPU = torch.device("cpu")


def _loader_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("loader")]


@pytest.fixture
def stream(two_corpora: Path, samples: Samples) -> StreamSource:
    return StreamSource(FeatureStore.open(two_corpora), samples, FEATURES, CPU, threads=3)


def test_a_dropped_iterator_leaves_no_threads(
    two_corpora: Path, samples: Samples, stream: StreamSource
) -> None:
    order = Order.of(FeatureStore.open(two_corpora), samples, 16, window=4)
    batches = stream.batches(order, Position(0))
    next(batches)
    assert _loader_threads()
    del batches
    assert not _loader_threads()
    for _ in stream.in_order(16):
        break
    gc.collect()
    assert not _loader_threads()
    list(stream.batches(order, Position(0)))
    assert not _loader_threads()


def test_an_iterator_that_is_never_begun_starts_none(
    two_corpora: Path, samples: Samples, stream: StreamSource
) -> None:
    batches = stream.batches(Order.of(FeatureStore.open(two_corpora), samples, 16), Position(0))
    assert not _loader_threads()
    del batches


def test_an_error_of_the_training_ends_the_threads(
    two_corpora: Path, samples: Samples, stream: StreamSource
) -> None:
    order = Order.of(FeatureStore.open(two_corpora), samples, 16, window=4)
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error):  # noqa: PT012
            for _ in stream.batches(order, Position(0)):
                raise error
        gc.collect()
        assert not _loader_threads()


def test_a_process_that_ends_in_the_middle_of_an_epoch_ends(two_corpora: Path) -> None:
    code = f"""
import numpy as np, torch
from featurestore.store import FeatureStore
from training.loader.order import Order, Position
from training.loader.stream import StreamSource
from training.samples.samples import cross
store = FeatureStore.open({str(two_corpora)!r})
samples = cross(np.arange(700), np.arange(700), (0, 1, 2))
source = StreamSource(store, samples, ("mel",), torch.device("cpu"))
batches = source.batches(Order.of(store, samples, 8, window=16), Position(0))
next(batches)
print("read", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "read\n", "")


def _digest(path: str) -> str:
    store = FeatureStore.open(path)
    clips = np.arange(200)
    samples = cross(clips, clips, (0, 2))
    source = StreamSource(store, samples, FEATURES, CPU)
    sha = hashlib.sha256()
    for batch in source.batches(Order.of(store, samples, 32, window=4), Position(9)):
        sha.update(batch.features.numpy().tobytes())
    return sha.hexdigest()


def test_a_spawned_process_reads_the_same_after_its_parent_has_read(two_corpora: Path) -> None:
    here = _digest(str(two_corpora))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply_async(_digest, (str(two_corpora),)).get(timeout=120) == here
