"""Paired speaker bootstrap: how much the difference of two results on the same clips would vary with other
test speakers.

No torch.

Every resample takes the same speakers for both results, with all their clips, so what makes a speaker easy or
hard for both cancels. Speakers are drawn as in :mod:`training.metrics.bootstrap`, and the percentiles of the
differences are expanded as there. The two-sided p-value inverts this interval (Efron & Tibshirani 1993, An
Introduction to the Bootstrap, section 15.4): it is the smallest α whose 1 − α interval excludes 0::

    tail = (1 + min(#{d ≤ 0}, #{d ≥ 0})) / (1 + replicates)        Davison & Hinkley 1997, equation 4.11
    p    = 2 P(T > −Φ⁻¹(tail) / √(n / (n − 1)))                    T of n − 1 degrees of freedom

for n speakers. The interval and p describe these trained models: other seeds would change the difference
further.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from training.metrics.bootstrap import (
    FEWEST_SPEAKERS,
    REPLICATES,
    Interval,
    draw_speakers,
    expanded_percentiles,
)
from training.metrics.concordance import AgreementSums, Floats
from training.metrics.confusion import ConfusionCounts


@dataclass(frozen=True)
class PairedDifference:
    """One figure of two results on the same clips."""

    first: float
    second: float
    interval: Interval | None
    """Of first − second; None if there are too few speakers."""
    p: float | None
    """Two-sided, for a true difference of 0; None without an interval."""

    @property
    def value(self) -> float:
        """First − second."""
        return self.first - self.second

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval and 0 is outside it."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


@dataclass(frozen=True)
class RateDifferences:
    """UA, WA and macro-F1 of two classifiers on the same clips."""

    ua: PairedDifference
    wa: PairedDifference
    macro_f1: PairedDifference


@dataclass(frozen=True)
class AgreementDifferences:
    """CCC and RMSE of two regressions on the same clips: means over the dimensions, then each dimension."""

    ccc: PairedDifference
    rmse: PairedDifference
    ccc_of_each: tuple[PairedDifference, ...]
    rmse_of_each: tuple[PairedDifference, ...]


def compare_rates(first: NDArray[np.int64], second: NDArray[np.int64]) -> RateDifferences:
    """Differences of UA, WA and macro-F1.

    ``first``, ``second`` (speakers, classes, classes) are confusion matrices of the same clips by the same
    speakers. UA and macro-F1 of a resample are over the classes with clips in it.
    """
    one, two = ConfusionCounts.of(first), ConfusionCounts.of(second)
    pooled = [ConfusionCounts.of(matrices.sum(axis=0)) for matrices in (first, second)]
    speakers = len(first)
    drawn: list[ConfusionCounts] = []
    if speakers >= FEWEST_SPEAKERS:
        drawn = [counts.weight(draw_speakers(speakers)) for counts in (one, two)]
    ua, wa, macro_f1 = (
        _difference([float(r[i]) for r in map(_rates, pooled)], [r[i] for r in map(_rates, drawn)], speakers)
        for i in range(3)
    )
    return RateDifferences(ua, wa, macro_f1)


def compare_recalls(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[PairedDifference, ...]:
    """Differences of the recall of every class; matrices as for :func:`compare_rates`.

    A resample without clips of a class is left out for that class, and percentiles are expanded by the number
    of speakers who have such clips.
    """
    one, two = ConfusionCounts.of(first), ConfusionCounts.of(second)
    pooled = [ConfusionCounts.of(matrices.sum(axis=0)).recall for matrices in (first, second)]
    having = (one.true > 0).sum(axis=0)
    drawn: list[ConfusionCounts] = []
    if len(first) >= FEWEST_SPEAKERS:
        drawn = [counts.weight(draw_speakers(len(first))) for counts in (one, two)]
    found = []
    for i, speakers in enumerate(having.tolist()):
        recalls = (
            [each.recall[each.true[:, i] > 0, i] for each in drawn] if speakers >= FEWEST_SPEAKERS else []
        )
        found.append(_difference([float(rate[i]) for rate in pooled], recalls, speakers))
    return tuple(found)


def compare_agreement(first: AgreementSums, second: AgreementSums) -> AgreementDifferences:
    """Differences of CCC and RMSE from the sums of each speaker, (speakers, dimensions)."""
    speakers = len(first.clips)
    everyone = np.ones((1, speakers))
    pooled = [sums.weight(everyone) for sums in (first, second)]
    drawn: list[AgreementSums] = []
    if speakers >= FEWEST_SPEAKERS:
        drawn = [sums.weight(draw_speakers(speakers)) for sums in (first, second)]

    def compare(values: list[Floats], replicates: list[Floats]) -> tuple[PairedDifference, ...]:
        """The mean over the dimensions, then each dimension; ``values`` (1, dimensions)."""
        mean = _difference([float(v.mean()) for v in values], [r.mean(axis=1) for r in replicates], speakers)
        each = (
            _difference([float(v[0, i]) for v in values], [r[:, i] for r in replicates], speakers)
            for i in range(values[0].shape[1])
        )
        return mean, *each

    ccc, *ccc_of_each = compare([sums.ccc for sums in pooled], [sums.ccc for sums in drawn])
    rmse, *rmse_of_each = compare([sums.rmse for sums in pooled], [sums.rmse for sums in drawn])
    return AgreementDifferences(ccc, rmse, tuple(ccc_of_each), tuple(rmse_of_each))


def p_of_replicates(differences: NDArray[np.float64], speakers: int) -> float:
    """Two-sided p-value of differences (replicates,) of resamples of ``speakers``, at least two."""
    beyond = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    tail = min((1 + beyond) / (1 + len(differences)), 0.5)
    quantile = -ndtri(tail) / np.sqrt(speakers / (speakers - 1))
    return float(2 * stdtr(speakers - 1, -quantile))


def smallest_p(speakers: int) -> float:
    """P of results that differ in the same direction in every resample of ``speakers``, at least two."""
    return p_of_replicates(np.ones(REPLICATES), speakers)


def _rates(counts: ConfusionCounts) -> tuple[Floats, Floats, Floats]:
    return counts.ua, counts.wa, counts.macro_f1


def _difference(values: list[float], replicates: list[Floats], speakers: int) -> PairedDifference:
    """``values`` of both results, and replicates (replicates,) of both; without them there is no interval."""
    first, second = values
    if not replicates:
        return PairedDifference(first, second, interval=None, p=None)
    differences = replicates[0] - replicates[1]
    return PairedDifference(
        first,
        second,
        interval=expanded_percentiles(differences, speakers),
        p=p_of_replicates(differences, speakers),
    )
