"""Transforms of many sizes at once, against numpy's transform of each."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.chirp import invert_rows, transform_rows

SIZES = st.lists(st.integers(1, 75).map(lambda half: 2 * half), min_size=1, max_size=4)


@settings(max_examples=25)
@given(sizes=SIZES)
def test_each_row_is_transformed_in_its_own_size(sizes: list[int]) -> None:
    frames = np.random.default_rng(0).standard_normal((len(sizes), 3, max(sizes))).astype(np.float32)
    for row, size in enumerate(sizes):
        frames[row, :, size:] = 0
    bins = max(sizes) // 2 + 1
    found = transform_rows(torch.from_numpy(frames), torch.tensor(sizes), bins).numpy()
    assert found.shape == (len(sizes), 3, bins)
    for row, size in enumerate(sizes):
        wanted = np.fft.rfft(frames[row, :, :size].astype(np.float64))
        assert np.abs(found[row, :, : size // 2 + 1] - wanted).max() < 2e-6 * size


@settings(max_examples=25)
@given(sizes=SIZES)
def test_the_way_back_gives_the_real_numbers(sizes: list[int]) -> None:
    bins = max(sizes) // 2 + 1
    rng = np.random.default_rng(1)
    sounds = [rng.standard_normal((3, size)) for size in sizes]
    spectra = np.zeros((len(sizes), 3, bins), np.complex64)
    for row, sound in enumerate(sounds):
        size = sound.shape[1]
        once = np.isin(np.arange(size // 2 + 1), (0, size // 2))
        spectra[row, :, : size // 2 + 1] = np.fft.rfft(sound) * np.where(once, 1, 2) / size
    found = invert_rows(torch.from_numpy(spectra), torch.tensor(sizes), max(sizes)).numpy()
    for row, sound in enumerate(sounds):
        assert np.abs(found[row, :, : sound.shape[1]] - sound).max() < 1e-5
