import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.pipeline import BATCH_CLIPS, FeatureBatch, Pipeline
from schemas.recipe import load_recipe
from schemas.spec import StorageSpec
from tests.pipelines.speech import RATE, Samples, harmonics

SPEC = load_recipe("four-corpora-a").store_spec(6)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(SPEC, CPU)


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
        "mel": (7, 10, 128, 130),
        "mfcc": (7, 10, 40, 130),
        "rms": (7, 10, 1, 130),
        "zcr": (7, 10, 1, 130),
    }
    assert all(values.dtype == np.float16 for values in whole.arrays.values())
    assert all(np.isfinite(values).all() for values in whole.arrays.values())
    assert np.isnan(whole.parameters[0]).all()
    assert np.isfinite(whole.parameters[1:]).all()


def test_valid_frames_count_frames_centred_on_sound(whole: FeatureBatch, clips: dict[str, Samples]) -> None:
    hop = SPEC.spectral.hop_length
    for row, clip in enumerate(clips.values()):
        centred = sum(frame * hop < min(len(clip), SPEC.audio.length) for frame in range(SPEC.frames))
        assert whole.valid_frames[0, row] == centred
    slow, fast = whole.valid_frames[5], whole.valid_frames[6]
    assert (slow >= whole.valid_frames[0]).all()
    assert (fast <= whole.valid_frames[0]).all()


def test_moments_are_those_of_the_stored_numbers(whole: FeatureBatch) -> None:
    for feature, values in whole.arrays.items():
        for view in range(7):
            for row in range(10):
                frames = values[view, row, :, : whole.valid_frames[view, row]].astype(np.float64)
                assert np.allclose(whole.mean[feature][view, row], frames.mean(axis=1), rtol=1e-5, atol=1e-6)
                squares = np.square(frames - frames.mean(axis=1, keepdims=True)).sum(axis=1)
                assert np.allclose(whole.m2[feature][view, row], squares, rtol=1e-4, atol=1e-4)


def test_views_differ_from_the_original(whole: FeatureBatch) -> None:
    mel = whole.arrays["mel"].astype(np.float32)
    for view in range(1, 7):
        assert np.abs(mel[view] - mel[0]).mean() > 0.5, SPEC.view_names[view]


def test_batches_hold_at_most_the_fixed_number_of_clips(pipeline: Pipeline) -> None:
    clip = harmonics(100, 0.5)
    with pytest.raises(ValueError, match="32 clips"):
        pipeline([str(i) for i in range(BATCH_CLIPS + 1)], [clip] * (BATCH_CLIPS + 1))


def test_float32_stores_hold_float32() -> None:
    spec = load_recipe("four-corpora-a").store_spec(0, storage=StorageSpec(dtype="float32"))
    batch = Pipeline(spec, CPU)(["a"], [harmonics(100, 1.0)])
    assert batch.arrays["mel"].dtype == np.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_and_cpu_agree(clips: dict[str, Samples], whole: FeatureBatch) -> None:
    """Tolerances of docs/architecture.md: pitch views may differ where a phase lies at the edge of ±π."""
    batch = Pipeline(SPEC, torch.device("cuda"))(list(clips), list(clips.values()))
    for feature, values in batch.arrays.items():
        error = np.abs(values.astype(np.float32) - whole.arrays[feature].astype(np.float32))
        for view, name in enumerate(SPEC.view_names):
            limit = 0.05 if name.startswith("pitch") else 1e-3
            assert error[view].mean() <= limit * np.abs(whole.arrays[feature][view]).mean(), (feature, name)
