"""Each statistic against numpy and scipy, clip by clip."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from numpy.polynomial import legendre
from numpy.typing import NDArray

from training.vectors.statistics import STATISTIC_NAMES, statistics

FRAMES = 130
VALID = (2, 3, 9, 64, 100, 130)
LAGS = (1, 2, 4, 8)


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    """(6, 4, 130): walks of different speed, with NaN behind the valid frames."""
    random = np.random.default_rng(5)
    x = np.cumsum(random.normal(size=(len(VALID), 4, FRAMES)), axis=2) * np.array([1, 3, 10, 0.5])[:, None]
    for clip, valid in zip(x, VALID, strict=True):
        clip[:, valid:] = np.nan
    return torch.from_numpy(x.astype(np.float32))


@pytest.fixture(scope="module")
def found(clips: torch.Tensor) -> NDArray[np.float32]:
    return statistics(clips, torch.tensor(VALID)).numpy()


def each(clips: torch.Tensor) -> list[tuple[int, int, NDArray[np.float64]]]:
    """Clip, descriptor and the valid frames of one."""
    values = clips.double().numpy()
    return [(i, j, values[i, j, :n]) for i, n in enumerate(VALID) for j in range(values.shape[1])]


def test_shape_and_numbers(found: NDArray[np.float32]) -> None:
    assert found.shape == (len(VALID), 4, len(STATISTIC_NAMES)) == (len(VALID), 4, 33)
    assert np.isfinite(found).all(), "what stands behind the valid frames does not get through"


def test_statistics_are_chosen_by_name(clips: torch.Tensor, found: NDArray[np.float32]) -> None:
    chosen = statistics(clips, torch.tensor(VALID), ("slope", "mean", "stretch8")).numpy()
    assert np.array_equal(chosen, found[:, :, [15, 0, 32]])


def test_a_clip_of_one_frame_counts_as_of_two() -> None:
    x = torch.full((1, 1, 5), 3.0)
    x[0, 0, 1] = 5.0
    assert torch.equal(statistics(x, torch.tensor([1])), statistics(x, torch.tensor([2])))


def test_moments_steps_and_quantiles(clips: torch.Tensor, found: NDArray[np.float32]) -> None:
    for i, j, x in each(clips):
        steps = np.diff(x)
        quantiles = np.quantile(x, (0.05, 0.2, 0.5, 0.8, 0.95))
        expected = [x.mean(), x.std(), np.abs(steps).mean(), max(steps.std(), 1e-4), *quantiles]
        assert found[i, j, :9] == pytest.approx(np.array(expected), rel=1e-3, abs=2e-3)


def test_skewness_and_kurtosis_but_for_the_summand_that_keeps_them_finite(
    clips: torch.Tensor, found: NDArray[np.float32]
) -> None:
    for i, j, x in each(clips):
        shrunk = x.std() / (x.std() + 1e-2)
        skewness, kurtosis = scipy.stats.skew(x), scipy.stats.kurtosis(x, fisher=False)
        expected = [skewness * shrunk**3, min(kurtosis * shrunk**4, 30)]
        assert found[i, j, 9:11] == pytest.approx(np.array(expected), rel=5e-3, abs=5e-3)


def test_autocorrelation(clips: torch.Tensor, found: NDArray[np.float32]) -> None:
    for i, j, x in each(clips):
        z = (x - x.mean()) / (x.std() + 1e-2)
        expected = [
            (z[lag:] * z[:-lag]).sum() / max(1, len(z) - lag) if lag < len(z) else 0.0 for lag in LAGS
        ]
        assert found[i, j, 11:15] == pytest.approx(np.array(expected), rel=2e-3, abs=2e-3)


def test_moments_of_the_first_three_legendre_polynomials(
    clips: torch.Tensor, found: NDArray[np.float32]
) -> None:
    """Up to their customary factors: 1, 2/3 and 2/5."""
    for i, j, x in each(clips):
        t = np.linspace(-1, 1, len(x))
        factors = (1, 2 / 3, 2 / 5)
        polynomials = [legendre.Legendre.basis(k + 1)(t) * factor for k, factor in enumerate(factors)]
        expected = [(x * p).mean() for p in polynomials]
        assert found[i, j, 15:18] == pytest.approx(np.array(expected), rel=2e-3, abs=5e-3)


def test_modulation_spectrum(clips: torch.Tensor, found: NDArray[np.float32]) -> None:
    bands = ((1, 3), (3, 6), (6, 10), (10, 16), (16, 26), (26, 40), (40, 64))
    for i, j, x in each(clips):
        z = (x - x.mean()) / (x.std() + 1e-2)
        spectrum = np.abs(np.fft.rfft(z[:128], 128)) / len(x)
        expected = [np.log(spectrum[a:b].mean() + 1e-4) for a, b in bands]
        assert found[i, j, 18:25] == pytest.approx(np.array(expected), rel=5e-3, abs=1e-2)


def test_means_of_eight_stretches(clips: torch.Tensor, found: NDArray[np.float32]) -> None:
    for i, j, x in each(clips):
        of = np.arange(len(x)) * 8 // len(x)
        expected = [x[of == k].mean() if (of == k).any() else 0.0 for k in range(8)]
        assert found[i, j, 25:] == pytest.approx(np.array(expected), rel=1e-3, abs=2e-3)
