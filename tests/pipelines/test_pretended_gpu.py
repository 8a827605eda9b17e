"""The pipeline's way on a GPU, on a pretended one: its numbers are the CPU's, and it waits once per batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines import batch_size
from pipelines.batch import ClipBatch
from pipelines.encoders.weights import find_weights
from pipelines.feature_batch import FeatureBatch
from pipelines.pipeline import Pipeline
from schemas.encoders import EncoderSpec
from schemas.errors import DeviceError
from schemas.features import named_features
from schemas.recipe import load_recipe
from schemas.spec import StoreSpec
from tests.pipelines.speech import RATE, Samples, gliding_voice
from tests.pipelines.views_of_all_kinds import DRAWN, FIXED, with_views
from tests.pretended_cuda.pretend import pretend_cuda
from tests.pretended_cuda.waits import HostWaits

CPU, GPU = torch.device("cpu"), torch.device("cuda")
RECIPE = load_recipe("four-corpora-a").store_spec(6)
EVERY_FEATURE = RECIPE.model_copy(update={"features": named_features("all", RECIPE.features)})

TOLERANCE = {
    "mel": 0.05,
    "mfcc": 0.05,
    "delta": 0.02,
    "delta2": 0.02,
    "chroma": 0.01,
    "rms": 1e-4,
    "zcr": 1e-3,
    "pooled": 1e-3,
    "framed": 1e-3,
}
"""Mean absolute difference of docs/design.md; of states of the encoder, relative to their largest."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of four, of which the last place is silence."""
    monkeypatch.setattr(batch_size, "MOST_CLIPS", 4)


@pytest.fixture(scope="module")
def clips() -> list[Samples]:
    """Shorter than a frame, of usual length, and longer than what is kept."""
    rng = np.random.default_rng(0)
    found = [gliding_voice(110 + 40 * row, seconds) for row, seconds in enumerate((0.05, 1.4, 3.6))]
    return [
        (clip + 0.005 * rng.standard_normal(len(clip))).astype(np.float32)[: round(3.6 * RATE)]
        for clip in found
    ]


def on_device(
    spec: StoreSpec, clips: Sequence[Samples], folders: dict[str, Path] | None = None
) -> tuple[FeatureBatch, HostWaits]:
    """A batch, and the waits in it."""
    with pretend_cuda() as waits:
        pipeline = Pipeline(spec, GPU, folders)
        waits.forget()
        return pipeline([f"clip/{row}" for row in range(len(clips))], clips), waits


def require_parity(
    spec: StoreSpec, found: FeatureBatch, clips: Sequence[Samples], folders: dict[str, Path] | None = None
) -> None:
    pipeline = Pipeline(spec, CPU, folders)
    for row, samples in enumerate(clips):
        alone, there = pipeline([f"clip/{row}"], [samples]), found.clip(row)
        assert np.array_equal(there.samples, alone.samples)
        assert np.array_equal(there.valid_frames, alone.valid_frames)
        assert np.array_equal(there.parameters, alone.parameters, equal_nan=True)
        for name, values in alone.arrays.items():
            assert there.arrays[name].dtype == values.dtype
            one, other = values.astype(np.float32), there.arrays[name].astype(np.float32)
            scale = np.abs(one).max() if name in ("pooled", "framed") else 1.0
            error = np.abs(other - one).mean(axis=(1, 2, 3)).max() / scale
            assert error <= TOLERANCE[name], (name, row)
            means = np.abs(there.mean[name] - alone.mean[name]).mean(axis=(1, 2)).max() / scale
            assert means <= TOLERANCE[name], (name, row)


@pytest.mark.parametrize(
    "spec",
    [RECIPE, with_views(EVERY_FEATURE, FIXED), with_views(EVERY_FEATURE, DRAWN)],
    ids=["default recipe", "every feature", "values drawn per clip"],
)
def test_every_feature_of_every_view_is_that_of_the_cpu_and_waits_once(
    spec: StoreSpec, clips: list[Samples]
) -> None:
    """Once per batch, for the copy of the results; the first batch waits for the constants, too."""
    on_device(spec, clips)
    found, waits = on_device(spec, clips)
    assert waits.by_file() == {"pipelines/transfer.py": 1}, waits
    require_parity(spec, found, clips)


@pytest.mark.parametrize(
    "storage",
    [
        {"dtype": "float32"},
        {"dtype": "float32", "codec": "bitround"},
        {"dtype": "float32", "codec": "fixed"},
        {"dtype": "float16", "codec": "blosc"},
    ],
    ids=str,
)
def test_stored_numbers_are_those_of_the_cpu(storage: dict[str, str], clips: list[Samples]) -> None:
    spec = with_views(EVERY_FEATURE, FIXED[:1], **storage)
    require_parity(spec, on_device(spec, clips[:2])[0], clips[:2])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_hidden_states_are_those_of_the_cpu(precision: str, encoder: Path, clips: list[Samples]) -> None:
    weights = find_weights(encoder)
    shared = {"architecture": weights.architecture, "sha256": weights.sha256, "precision": precision}
    features = (
        EncoderSpec.model_validate({"name": "pooled", "layers": (1, 3), "pooling": "mean+std", **shared}),
        EncoderSpec.model_validate(
            {"name": "framed", "layers": (2,), "pooling": "frames", "stride": 2, **shared}
        ),
    )
    spec = with_views(RECIPE, FIXED[:1]).model_copy(update={"features": (*RECIPE.features[:1], *features)})
    folders = {"pooled": encoder, "framed": encoder}
    found, _ = on_device(spec, clips[:2], folders)
    require_parity(spec, found, clips[:2], folders)


def test_a_defect_is_named_by_its_clip(clips: list[Samples]) -> None:
    broken = [clips[0], np.where(np.arange(len(clips[1])) == 500, np.nan, clips[1]).astype(np.float32)]
    with pretend_cuda(), pytest.raises(FloatingPointError, match=r"mel.* of bad are not finite"):
        Pipeline(RECIPE, GPU)(["good", "bad"], broken)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_too_little_memory_halves_the_batch_and_changes_no_number(
    most: int, clips: list[Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = with_views(EVERY_FEATURE, DRAWN)
    whole, _ = on_device(spec, clips)
    compute, sizes = Pipeline._compute, list[int]()

    def compute_few(self: Pipeline, batch: ClipBatch, count: int) -> Callable[[], FeatureBatch]:
        sizes.append(len(batch.clip_ids))
        if len(batch.clip_ids) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(self, batch, count)

    monkeypatch.setattr(Pipeline, "_compute", compute_few)
    with pytest.warns(UserWarning, match="memory for 4 clips at once; continuing with fewer") as notes:
        parts, _ = on_device(spec, clips)
    assert len(notes) == 1
    assert sizes == ([4, 2, 1, 1, 1] if most == 1 else [4, 2, 2])
    for found, wanted in zip(parts.arrays.values(), whole.arrays.values(), strict=True):
        assert np.array_equal(found, wanted)
    for name in spec.coefficients:
        assert np.array_equal(parts.mean[name], whole.mean[name])
        assert np.array_equal(parts.m2[name], whole.m2[name])
    assert np.array_equal(parts.samples, whole.samples)
    assert np.array_equal(parts.parameters, whole.parameters, equal_nan=True)


def test_a_clip_that_does_not_fit_is_an_error(clips: list[Samples], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> FeatureBatch:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Pipeline, "_compute", refuse)
    with (
        pytest.warns(UserWarning, match="continuing with fewer"),
        pytest.raises(DeviceError, match="memory for a single clip; stop what else"),
    ):
        on_device(RECIPE, clips)
