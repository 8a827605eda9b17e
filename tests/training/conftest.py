"""Manifests without a store, and learning problems small enough to be trained in a second."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from schemas.tables import MANIFEST_SCHEMA
from tests.blank_pictures import draw_blank
from training.loader.cells import Cells
from training.loader.order import WINDOW_CHUNKS, Order
from training.loader.ram import RamSource
from training.loop.fit import Problem
from training.loop.loss import Loss
from training.loop.normalise import Normalisation, Normaliser
from training.models.cnn_bilstm import CnnBiLstm

MakeManifest = Callable[[Iterable[Mapping[str, Any]]], pd.DataFrame]

COEFFICIENTS, FRAMES, CLASSES = 12, 20, 4


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """These problems are too small for two threads to share."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="module")
def blank_pictures() -> Iterator[None]:
    """Runs of these tests get empty pictures. Packages whose tests look at pictures override this."""
    with draw_blank():
        yield


@pytest.fixture(scope="session")
def make_manifest() -> MakeManifest:
    """Function from clips (``speaker`` at least: ``corpus/name``) to a manifest with every column."""

    def make(clips: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        rows = []
        for i, clip in enumerate(clips):
            clip_id = f"{clip['speaker']}-{i:04d}"
            defaults = {
                "clip_id": clip_id,
                "dataset": clip["speaker"].split("/")[0],
                "row": i,
                "path": f"{clip_id}.wav",
                "audio_sha256": hashlib.sha256(clip_id.encode()).hexdigest(),
                "gender": "female",
                "emotion": "happy",
                "label": "happy",
                "intensity": "",
                "sentence": "",
                "repetition": 1,
                "duration_s": 2.0,
                "sample_rate": 22050,
                "channels": 1,
                "snr_db": 30.0,
                "clipping_ratio": 0.0,
                "silence_ratio": 0.2,
                "peak": 0.5,
                "loudness_lufs": -25.0,
                "status": "ok",
                "problem": "",
            }
            rows.append({**defaults, **clip})
        return pd.DataFrame(rows, columns=MANIFEST_SCHEMA.names)

    return make


@pytest.fixture
def make_model() -> Callable[[int], CnnBiLstm]:
    """Function from a seed to a small untrained model with dropout."""

    def make(seed: int) -> CnnBiLstm:
        torch.manual_seed(seed)
        return CnnBiLstm(
            COEFFICIENTS, FRAMES, CLASSES, 0.3, channels=(4, 8), pools=((2, 2), (2, 1)), hidden=8
        )

    return make


@pytest.fixture
def problem() -> Problem:
    """A learnable problem: the class shifts the mean of some coefficients."""
    generator = np.random.default_rng(7)

    def source(count: int) -> RamSource:
        targets = generator.integers(0, CLASSES, count)
        features = generator.normal(size=(count, COEFFICIENTS, FRAMES))
        features[np.arange(count), targets] += 1.0
        return RamSource(
            torch.from_numpy(features.astype(np.float16)),
            torch.from_numpy(generator.integers(8, FRAMES + 1, count)),
            torch.from_numpy(targets),
            torch.device("cpu"),
        )

    ones = np.ones(COEFFICIENTS, dtype=np.float32)
    return Problem(
        train=source(70),
        validation=source(30),
        order=order_of(70, 16),
        normaliser=Normaliser(Normalisation(0 * ones, ones)),
        loss=Loss(np.ones(CLASSES)),
        seed=3,
    )


def order_of(count: int, batch_size: int) -> Order:
    """Order of samples without a store, in chunks of 32."""
    of_sample = np.arange(count) // 32
    cells = Cells(of_sample, np.arange(of_sample[-1] + 1))
    return Order(cells, batch_size, "all", "sha256:x", WINDOW_CHUNKS, f"sha256:{count} by {batch_size}")
