import math
from dataclasses import dataclass
from itertools import product

import numcodecs
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.feature_batch import FeatureBatch
from pipelines.pipeline import Pipeline
from pipelines.quantise import FIXED_STEPS, KEEP_BITS, quantiser, round_bits, round_to_steps
from schemas.features import FEATURE_KINDS, named_features
from schemas.recipe import load_recipe
from schemas.spec import StorageSpec, StoreSpec
from tests.pipelines.speech import Samples, gliding_voice

CPU = torch.device("cpu")
SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)


def _numbers(count: int = 20_000) -> np.ndarray:
    """Float32 of all magnitudes and both signs, ties between neighbours and zeros among them."""
    rng = np.random.default_rng(0)
    wide = rng.standard_normal(count) * 10.0 ** rng.integers(-40, 30, count)
    ties = rng.integers(-(2**15), 2**15, count) / 2**14
    return np.concatenate([wide, ties, [0.0, -0.0]]).astype(np.float32)


def _rounded(numbers: np.ndarray, keep_bits: int = KEEP_BITS) -> np.ndarray:
    return round_bits(torch.from_numpy(numbers), keep_bits).numpy()


def _stepped(numbers: np.ndarray, step: float) -> np.ndarray:
    return round_to_steps(torch.from_numpy(numbers), torch.tensor(step)).numpy()


@pytest.mark.parametrize("keep_bits", [1, 7, KEEP_BITS, 22])
def test_bitround_is_that_of_numcodecs(keep_bits: int) -> None:
    numbers = _numbers()
    theirs = np.asarray(numcodecs.BitRound(keep_bits).encode(numbers.copy())).view(np.float32)
    assert _rounded(numbers, keep_bits).tobytes() == theirs.tobytes()


@pytest.mark.parametrize("step", sorted(set(FIXED_STEPS.values())))
def test_steps_are_those_of_numcodecs(step: float) -> None:
    numbers = _numbers()
    theirs = numcodecs.FixedScaleOffset(offset=0, scale=1 / step, dtype="<f4", astype="<f4")
    assert _stepped(numbers, step).tobytes() == np.asarray(theirs.decode(theirs.encode(numbers))).tobytes()


@given(
    st.floats(width=32, allow_nan=False, allow_infinity=False).filter(
        lambda number: SMALLEST_NORMAL <= abs(number) < 2.0**127
    ),
    st.integers(1, 22),
)
def test_bitround_errs_by_half_the_last_bit_kept(number: float, keep_bits: int) -> None:
    rounded = float(_rounded(np.array([number], np.float32), keep_bits)[0])
    assert abs(rounded - number) <= abs(number) * 2.0 ** -(keep_bits + 1)
    assert math.frexp(rounded)[0] * 2 ** (keep_bits + 1) % 1 == 0


@given(st.floats(-2e3, 2e3, width=32), st.sampled_from(sorted(set(FIXED_STEPS.values()))))
def test_fixed_errs_by_half_a_step(number: float, step: float) -> None:
    stepped = float(_stepped(np.array([number], np.float32), step)[0])
    assert abs(stepped - number) <= step / 2
    assert stepped / step % 1 == 0


def test_rounding_twice_changes_nothing() -> None:
    once = _rounded(_numbers())
    assert _rounded(once).tobytes() == once.tobytes()
    once = _stepped(_numbers(), FIXED_STEPS["mel"])
    assert _stepped(once, FIXED_STEPS["mel"]).tobytes() == once.tobytes()


def test_nan_and_infinities_stay() -> None:
    patterns = np.array([0x7FC00000, 0xFFC00000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001], np.uint32)
    numbers = np.concatenate([patterns.view(np.float32), np.array([np.inf, -np.inf], np.float32)])
    for quantised in (_rounded(numbers, 1), _rounded(numbers), _stepped(numbers, FIXED_STEPS["rms"])):
        assert np.isnan(quantised[:5]).all()
        assert quantised[5:].tolist() == [np.inf, -np.inf]


def test_every_feature_has_a_power_of_two_for_a_step() -> None:
    assert set(FIXED_STEPS) == set(FEATURE_KINDS)
    assert {math.frexp(step)[0] for step in FIXED_STEPS.values()} == {0.5}


@pytest.mark.parametrize("codec", ["zstd", "blosc", "none"])
def test_lossless_codecs_round_nothing(codec: str) -> None:
    for dtype in ("float16", "float32"):
        assert quantiser(_spec(codec, dtype), CPU) is None


def _spec(codec: str, dtype: str = "float32") -> StoreSpec:
    storage = StorageSpec.model_validate({"codec": codec, "dtype": dtype})
    recipe = load_recipe("four-corpora-a").store_spec(2, storage=storage)
    return recipe.model_copy(update={"features": named_features("all", recipe.features)})


@dataclass(frozen=True)
class Batches:
    """One voice's features, exact, in float16, and by both quantising codecs."""

    exact: FeatureBatch
    half: FeatureBatch
    bitround: FeatureBatch
    fixed: FeatureBatch


@pytest.fixture(scope="module")
def batches() -> Batches:
    rng = np.random.default_rng(1)
    clean = gliding_voice(140, 1.7) * 0.3
    voice: Samples = (clean + 0.002 * rng.standard_normal(len(clean))).astype(np.float32)
    specs = (_spec("zstd"), _spec("zstd", "float16"), _spec("bitround"), _spec("fixed"))
    return Batches(*(Pipeline(spec, CPU)(["test/1"], [voice]) for spec in specs))


def test_the_pipeline_rounds_bits(batches: Batches) -> None:
    for name, exact in batches.exact.arrays.items():
        stored = np.ascontiguousarray(batches.bitround.arrays[name])
        assert stored.dtype == np.float32
        assert not (stored.view(np.uint32) & (2 ** (23 - KEEP_BITS) - 1)).any()
        assert (np.abs(stored - exact) <= np.abs(exact) * 2.0 ** -(KEEP_BITS + 1)).all()
        assert name == "zcr" or (stored != exact).any()


def test_the_pipeline_puts_each_feature_on_its_own_steps(batches: Batches) -> None:
    for name, values in batches.fixed.arrays.items():
        assert values.dtype == np.float32
        exact, step = batches.exact.arrays[name].astype(np.float64), FIXED_STEPS[name]
        assert not (values.astype(np.float64) / step % 1).any(), name
        assert np.abs(values - exact).max() <= step / 2, name
        if name != "zcr":
            assert np.abs(values - exact).max() > step / 4, name


def test_zero_crossing_rates_are_kept_exactly(batches: Batches) -> None:
    assert np.array_equal(batches.fixed.arrays["zcr"], batches.exact.arrays["zcr"])


def test_fixed_never_errs_more_than_float16_at_its_worst(batches: Batches) -> None:
    for name, exact in batches.exact.arrays.items():
        worst = np.abs(batches.half.arrays[name].astype(np.float64) - exact).max()
        assert np.abs(batches.fixed.arrays[name] - exact).max() <= worst, name


@pytest.mark.parametrize("codec", ["bitround", "fixed"])
def test_moments_are_those_of_the_rounded_numbers(batches: Batches, codec: str) -> None:
    batch: FeatureBatch = getattr(batches, codec)
    for name, (view, frames) in product(batch.arrays, enumerate(batch.valid_frames[:, 0])):
        valid = batch.arrays[name][view, 0, :, :frames].astype(np.float64)
        mean = valid.mean(axis=1)
        assert np.allclose(batch.mean[name][view, 0], mean, rtol=1e-5, atol=1e-6)
        m2 = np.square(valid - mean[:, None]).sum(axis=1)
        assert np.allclose(batch.m2[name][view, 0], m2, rtol=1e-4, atol=1e-6)
    assert not np.array_equal(batch.m2["mel"], batches.exact.m2["mel"])
