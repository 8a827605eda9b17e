"""How reports write the figures of a regression, and the notes that belong to them."""

from __future__ import annotations

from training.metrics.bootstrap import Interval
from training.metrics.dimensions import DimensionEvaluation
from training.report.wording import speakers

DEFINITIONS = (
    "CCC (concordance correlation coefficient, Lin 1989) is 1 if every prediction equals its label and 0 for "
    "a model that does not listen. RMSE is in the units of the labels. For several dimensions, both are "
    "means."
)
"""Definitions of the figures."""


def ccc(value: float) -> str:
    """``0.613``, also for −0.0."""
    return f"{value + 0.0:.3f}" if round(value, 3) else "0.000"


def rmse(value: float) -> str:
    """Three significant digits."""
    return f"{value:#.3g}".removesuffix(".")


def ccc_interval(interval: Interval | None) -> str:
    """``0.541–0.672``; a dash for None."""
    return "–" if interval is None else f"{ccc(interval.low)}–{ccc(interval.high)}"


def rmse_interval(interval: Interval | None) -> str:
    """As :func:`ccc_interval`, in the units of the labels."""
    return "–" if interval is None else f"{rmse(interval.low)}–{rmse(interval.high)}"


def ccc_with_interval(found: DimensionEvaluation) -> str:
    """``CCC 0.613 (95 % interval 0.541 to 0.672)``."""
    intervals = found.intervals
    if intervals is None:
        return f"CCC {ccc(found.ccc)} (no interval: {speakers(found.speakers)})"
    bounds = intervals.mean.ccc
    level = f"{100 * intervals.level:.0f} %"
    return f"CCC {ccc(found.ccc)} ({level} interval {ccc(bounds.low)} to {ccc(bounds.high)})"


def speaker_spread(found: DimensionEvaluation) -> str | None:
    """Lowest, highest and median mean CCC of the test speakers; None for a single speaker."""
    ranked = sorted(found.by_speaker, key=lambda score: (score.mean_ccc, score.name))
    if len(ranked) < 2:
        return None
    middle = (ranked[(len(ranked) - 1) // 2].mean_ccc + ranked[len(ranked) // 2].mean_ccc) / 2
    low, high = ranked[0], ranked[-1]
    return (
        f"CCC by speaker, each over their own clips: {ccc(low.mean_ccc)} ({low.name}) to "
        f"{ccc(high.mean_ccc)} ({high.name}), median {ccc(middle)}"
    )
