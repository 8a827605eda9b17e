from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.feature_batch import FeatureBatch
from pipelines.pipeline import Pipeline
from pipelines.process import compute_alone
from schemas.features import named_features
from schemas.recipe import load_recipe
from schemas.spec import StorageSpec, StoreSpec
from schemas.views import PitchSpec, SpeedSpec, StretchSpec
from tests.pipelines.speech import RATE, Samples, harmonics

RECIPE = load_recipe("four-corpora-a").store_spec(6)
SPEC = StoreSpec.model_validate(
    {
        **RECIPE.model_dump(),
        "features": named_features("all", RECIPE.features),
        "views": (
            *RECIPE.views,
            StretchSpec(name="stretch", factor=1.2),
            PitchSpec(name="pitches", semitones=(-2, 2)),
            SpeedSpec(name="speeds", factor=(0.9, 1.1)),
        ),
    }
)
VIEWS = len(SPEC.view_names)
CPU = torch.device("cpu")


class Batched(Pipeline):
    """Clips in padded batches, as a GPU computes them, here on the CPU."""

    def __init__(self) -> None:
        super().__init__(SPEC, CPU)
        self.clips_at_once = 16


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(SPEC, CPU)


@pytest.fixture(scope="module")
def batched() -> Pipeline:
    return Batched()


@pytest.fixture(scope="module")
def clips() -> dict[str, Samples]:
    rng = np.random.default_rng(0)
    return {
        f"test/{i}": (
            harmonics(90 + 15 * i, 0.4 + 0.35 * i) + 0.01 * rng.standard_normal(int((0.4 + 0.35 * i) * RATE))
        ).astype(np.float32)
        for i in range(10)
    }


@pytest.fixture(scope="module")
def whole(pipeline: Pipeline, clips: dict[str, Samples]) -> FeatureBatch:
    """All clips, each computed by itself."""
    return _joined([pipeline([name], [samples]) for name, samples in clips.items()])


def _joined(parts: list[FeatureBatch]) -> FeatureBatch:
    def join(field: str) -> Any:
        values = [getattr(part, field) for part in parts]
        if isinstance(values[0], np.ndarray):
            return np.concatenate(values, axis=1)
        return {name: np.concatenate([value[name] for value in values], axis=1) for name in values[0]}

    return FeatureBatch(**{field.name: join(field.name) for field in fields(FeatureBatch)})


def _require_equal(a: FeatureBatch, b: FeatureBatch, clips: Sequence[int] | slice = slice(None)) -> None:
    """The features of ``a`` are those of some clips of ``b``, to the byte."""
    for field in ("arrays", "mean", "m2"):
        for name, values in getattr(a, field).items():
            assert np.array_equal(values, getattr(b, field)[name][:, clips]), (field, name)
    for field in ("samples", "valid_frames", "parameters"):
        assert np.array_equal(getattr(a, field), getattr(b, field)[:, clips], equal_nan=True), field


def test_a_clip_alone_gives_the_same_bytes_in_any_thread_and_order(
    pipeline: Pipeline, clips: dict[str, Samples], whole: FeatureBatch
) -> None:
    backwards = list(clips.items())[::-1]
    with ThreadPoolExecutor(3, initializer=compute_alone) as pool:
        parts = list(pool.map(lambda clip: pipeline([clip[0]], [clip[1]]), backwards))
    _require_equal(_joined(parts[::-1]), whole)


@pytest.mark.slow
@settings(max_examples=10)
@given(order=st.permutations(range(10)), count=st.integers(1, 10))
def test_no_view_of_a_clip_depends_on_the_rest_of_its_batch(
    batched: Pipeline, clips: dict[str, Samples], order: list[int], count: int
) -> None:
    """In batches of a fixed size, whatever else they hold and at whatever place the clip stands."""
    names = list(clips)
    chosen = order[:count]
    full = batched(names, list(clips.values()))
    batch = batched([names[i] for i in chosen], [clips[names[i]] for i in chosen])
    _require_equal(batch, full, chosen)


def test_shapes_and_kinds(whole: FeatureBatch) -> None:
    assert {name: values.shape for name, values in whole.arrays.items()} == {
        "mel": (VIEWS, 10, 128, 130),
        "mfcc": (VIEWS, 10, 40, 130),
        "delta": (VIEWS, 10, 40, 130),
        "delta2": (VIEWS, 10, 40, 130),
        "chroma": (VIEWS, 10, 12, 130),
        "rms": (VIEWS, 10, 1, 130),
        "zcr": (VIEWS, 10, 1, 130),
    }
    assert all(values.dtype == np.float16 for values in whole.arrays.values())
    assert all(np.isfinite(values).all() for values in whole.arrays.values())
    assert np.isnan(whole.parameters[0]).all()
    assert np.isfinite(whole.parameters[1:]).all()


def test_valid_frames_count_frames_centred_on_sound(whole: FeatureBatch, clips: dict[str, Samples]) -> None:
    hop = SPEC.spectral.hop_length
    for row, clip in enumerate(clips.values()):
        centred = sum(frame * hop < min(len(clip), SPEC.length) for frame in range(SPEC.frames))
        assert whole.valid_frames[0, row] == centred
    slow, fast = whole.valid_frames[5], whole.valid_frames[6]
    assert (slow >= whole.valid_frames[0]).all()
    assert (fast <= whole.valid_frames[0]).all()


def test_moments_are_those_of_the_stored_numbers(whole: FeatureBatch) -> None:
    for name, array in whole.arrays.items():
        for view, row in product(range(VIEWS), range(10)):
            frames = array[view, row, :, : whole.valid_frames[view, row]].astype(np.float64)
            assert np.allclose(whole.mean[name][view, row], frames.mean(axis=1), rtol=1e-5, atol=1e-5)
            squares = np.square(frames - frames.mean(axis=1, keepdims=True)).sum(axis=1)
            assert np.allclose(whole.m2[name][view, row], squares, rtol=1e-4, atol=1e-4)


def test_views_differ_from_the_original(whole: FeatureBatch) -> None:
    mel = whole.arrays["mel"].astype(np.float32)
    for view in range(1, VIEWS):
        assert np.abs(mel[view] - mel[0]).mean() > 0.5, SPEC.view_names[view]


def test_more_clips_than_a_batch_holds_are_several_batches(
    pipeline: Pipeline, clips: dict[str, Samples], whole: FeatureBatch
) -> None:
    _require_equal(pipeline([*clips], [*clips.values()]), whole)
    with pytest.raises(ValueError, match="at least one clip"):
        pipeline([], [])


def test_float32_stores_hold_float32() -> None:
    spec = load_recipe("four-corpora-a").store_spec(0, storage=StorageSpec(dtype="float32"))
    assert Pipeline(spec, CPU)(["a"], [harmonics(100, 1.0)]).arrays["mel"].dtype == np.float32


def test_a_defect_is_not_stored_in_silence(pipeline: Pipeline) -> None:
    broken = harmonics(100, 1.0)
    broken[500] = np.nan
    with pytest.raises(FloatingPointError, match=r"mel.* of bad/1 are not finite"):
        pipeline(["bad/1"], [broken])


TOLERANCE = {
    "mel": 0.05,
    "mfcc": 0.05,
    "delta": 0.02,
    "delta2": 0.02,
    "chroma": 0.01,
    "rms": 1e-4,
    "zcr": 1e-3,
}
"""Mean absolute difference of docs/design.md. A pitch view's phases may turn where they lie at ± π,
and a tuning may fall on the next hundredth, so that single numbers differ by more."""


def _require_near(batch: FeatureBatch, whole: FeatureBatch) -> None:
    assert np.array_equal(batch.valid_frames, whole.valid_frames)
    assert np.array_equal(batch.parameters, whole.parameters, equal_nan=True)
    for feature, values in batch.arrays.items():
        error = np.abs(values.astype(np.float32) - whole.arrays[feature].astype(np.float32))
        assert error.mean(axis=(1, 2, 3)).max() <= TOLERANCE[feature], feature


def test_padded_batches_agree_with_single_clips(
    batched: Pipeline, clips: dict[str, Samples], whole: FeatureBatch
) -> None:
    _require_near(batched(list(clips), list(clips.values())), whole)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_and_cpu_agree(clips: dict[str, Samples], whole: FeatureBatch) -> None:
    _require_near(Pipeline(SPEC, torch.device("cuda"))(list(clips), list(clips.values())), whole)
