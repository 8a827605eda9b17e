import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.vocoder import LARGEST_HOP, rational_ratio


@given(semitones=st.floats(-12, 12))
def test_ratios_are_small_and_close(semitones: float) -> None:
    ratio = 2 ** (semitones / 12)
    numerator, denominator = rational_ratio(ratio)
    assert 0 < numerator <= LARGEST_HOP
    assert 0 < denominator <= LARGEST_HOP
    assert abs(1200 * math.log2(numerator / denominator / ratio)) < 4


@pytest.mark.parametrize(
    ("ratio", "fraction"),
    [(2 ** (2 / 12), (55, 49)), (2 ** (1 / 12), (89, 84)), (1.25, (5, 4)), (0.8, (4, 5))],
)
def test_usual_ratios(ratio: float, fraction: tuple[int, int]) -> None:
    assert rational_ratio(ratio) == fraction
