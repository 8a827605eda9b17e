import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.vocoder import N_FFT, analyse, frame_sizes, synthesise
from tests.pipelines.speech import gliding_voice


@given(semitones=st.floats(-12, 12))
def test_frame_sizes_are_even_and_within_two_cents_of_their_ratio(semitones: float) -> None:
    analysis, synthesis = frame_sizes(2 ** (semitones / 12))
    assert analysis % 2 == synthesis % 2 == 0
    assert abs(1200 * math.log2(analysis / synthesis) - 100 * semitones) < 2


def test_two_semitones_up_and_down_share_their_analysis() -> None:
    assert frame_sizes(2 ** (2 / 12)) == (N_FFT, 960)
    assert frame_sizes(2 ** (-2 / 12)) == (N_FFT, 1210)


@pytest.mark.parametrize("samples", [1, 300, 20_000])
def test_unchanged_hop_and_size_give_the_sound_back(samples: int) -> None:
    sound = torch.from_numpy(gliding_voice(150, 2.0)[:samples])[None]
    analysis = analyse(sound)
    again = synthesise(analysis, size=analysis.size, hop=analysis.hop, length=samples)
    assert (again - sound).abs().max() < 1e-4
