from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.pipeline import CPU_CLIPS, FeatureBatch, Pipeline
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


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with Pipeline(SPEC, CPU, threads=2) as pipeline:
        yield pipeline


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
    return pipeline(list(clips), list(clips.values()))


@settings(max_examples=12, deadline=None)
@given(order=st.permutations(range(10)), count=st.integers(1, 10))
def test_no_view_of_a_clip_depends_on_the_rest_of_its_batch(
    pipeline: Pipeline, clips: dict[str, Samples], whole: FeatureBatch, order: list[int], count: int
) -> None:
    names = list(clips)
    chosen = order[:count]
    batch = pipeline([names[i] for i in chosen], [clips[names[i]] for i in chosen])
    for feature, values in batch.arrays.items():
        assert np.array_equal(values, whole.arrays[feature][:, chosen], equal_nan=True)
    assert np.array_equal(batch.valid_frames, whole.valid_frames[:, chosen])
    assert np.array_equal(batch.parameters, whole.parameters[:, chosen], equal_nan=True)


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
    for feature, values in whole.arrays.items():
        for view in range(VIEWS):
            for row in range(10):
                frames = values[view, row, :, : whole.valid_frames[view, row]].astype(np.float64)
                assert np.allclose(whole.mean[feature][view, row], frames.mean(axis=1), rtol=1e-5, atol=1e-6)
                squares = np.square(frames - frames.mean(axis=1, keepdims=True)).sum(axis=1)
                assert np.allclose(whole.m2[feature][view, row], squares, rtol=1e-4, atol=1e-4)


def test_views_differ_from_the_original(whole: FeatureBatch) -> None:
    mel = whole.arrays["mel"].astype(np.float32)
    for view in range(1, VIEWS):
        assert np.abs(mel[view] - mel[0]).mean() > 0.5, SPEC.view_names[view]


def test_a_call_takes_a_bounded_number_of_clips(pipeline: Pipeline) -> None:
    clip = harmonics(100, 0.5)
    with pytest.raises(ValueError, match="1 to 32 clips"):
        pipeline([str(i) for i in range(CPU_CLIPS + 1)], [clip] * (CPU_CLIPS + 1))


def test_the_number_of_threads_changes_nothing(clips: dict[str, Samples], whole: FeatureBatch) -> None:
    with Pipeline(SPEC, CPU, threads=1) as single:
        batch = single(list(clips), list(clips.values()))
    assert all(np.array_equal(values, whole.arrays[name]) for name, values in batch.arrays.items())


def test_float32_stores_hold_float32() -> None:
    spec = load_recipe("four-corpora-a").store_spec(0, storage=StorageSpec(dtype="float32"))
    with Pipeline(spec, CPU) as pipeline:
        assert pipeline(["a"], [harmonics(100, 1.0)]).arrays["mel"].dtype == np.float32


TOLERANCE = {
    "mel": 0.05,
    "mfcc": 0.05,
    "delta": 0.02,
    "delta2": 0.02,
    "chroma": 0.01,
    "rms": 1e-4,
    "zcr": 1e-3,
}
"""Mean absolute difference of docs/architecture.md. A pitch view's phases may turn where they lie at ± π,
and a tuning may fall on the next hundredth, so that single numbers differ by more."""


def _require_near(batch: FeatureBatch, whole: FeatureBatch) -> None:
    assert np.array_equal(batch.valid_frames, whole.valid_frames)
    assert np.array_equal(batch.parameters, whole.parameters, equal_nan=True)
    for feature, values in batch.arrays.items():
        error = np.abs(values.astype(np.float32) - whole.arrays[feature].astype(np.float32))
        assert error.mean(axis=(1, 2, 3)).max() <= TOLERANCE[feature], feature


def test_padded_batches_as_a_gpu_computes_them_agree_with_single_clips(
    clips: dict[str, Samples], whole: FeatureBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code of the GPU's batches, here on the CPU."""
    with Pipeline(SPEC, CPU) as pipeline:
        pipeline.clips_at_once = 16
        monkeypatch.setattr(pipeline, "_compute_all", pipeline._in_one_batch)
        _require_near(pipeline(list(clips), list(clips.values())), whole)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_and_cpu_agree(clips: dict[str, Samples], whole: FeatureBatch) -> None:
    with Pipeline(SPEC, torch.device("cuda")) as pipeline:
        _require_near(pipeline(list(clips), list(clips.values())), whole)
