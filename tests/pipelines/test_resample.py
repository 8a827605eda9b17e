import math

import numpy as np
import pytest
import torch
import torchaudio.functional
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ratio import LARGEST, rational_ratio
from pipelines.resample import resample


@given(ratio=st.floats(0.5, 2))
def test_ratios_are_small_and_close(ratio: float) -> None:
    numerator, denominator = rational_ratio(ratio)
    assert 0 < numerator <= LARGEST
    assert 0 < denominator <= LARGEST
    assert abs(1200 * math.log2(numerator / denominator / ratio)) < 4


@pytest.mark.parametrize(("ratio", "fraction"), [(1.25, (5, 4)), (0.8, (4, 5)), (2 ** (2 / 12), (55, 49))])
def test_usual_ratios(ratio: float, fraction: tuple[int, int]) -> None:
    assert rational_ratio(ratio) == fraction


@pytest.mark.parametrize(
    ("numerator", "denominator"), [(5, 4), (4, 5), (55, 49), (147, 160), (239, 120), (1, 2), (1, 1)]
)
@pytest.mark.parametrize("samples", [1, 77, 10_000])
def test_equals_torchaudios_kaiser_window(numerator: int, denominator: int, samples: int) -> None:
    """The same filter by another implementation, whose window is computed in float32."""
    sound = torch.from_numpy(np.random.default_rng(0).standard_normal((3, samples)).astype(np.float32))
    expected = torchaudio.functional.resample(
        sound,
        orig_freq=denominator,
        new_freq=numerator,
        lowpass_filter_width=24,
        rolloff=0.92,
        resampling_method="sinc_interp_kaiser",
        beta=9.0,
    )
    ours = resample(sound, numerator, denominator)
    assert ours.shape == (3, -(-samples * numerator // denominator))
    if numerator != denominator:  # torchaudio leaves the sound alone, without its low-pass
        assert torch.allclose(ours, expected, atol=2e-4)
