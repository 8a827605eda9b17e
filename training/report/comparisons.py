"""Figures that compare UA between the folds of a summary, and between the speakers of a test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schemas.messages.counts import format_count
from training.metrics.scores import Scores
from training.report.drawing import encode_png, wrap_heading
from training.report.summary import Summary

_MOST_NAMES = 40
"""Most speakers whose names are readable below a diagram."""


def folds_png(summary: Summary) -> bytes:
    """:func:`folds_figure` under subject and title of the summary."""
    return encode_png(folds_figure(summary, f"{summary.subject}\n{summary.title}"))


def folds_figure(summary: Summary, heading: str = "") -> Figure:
    """UA and WA of emotions in each fold and pooled, with intervals of UA.

    A band shows mean ± sd of UA over folds; a fold with too few speakers has no interval.
    """
    names = [*(fold.name for fold in summary.folds), "pooled"]
    found = [*(fold.evaluation.emotion for fold in summary.folds), summary.pooled.emotion]
    positions = np.arange(len(names), dtype=np.float64)
    positions[-1] += 0.5
    long = max(map(len, names)) > 8 or len(names) > 16
    figure = Figure(figsize=(max(6.5, 2.5 + 0.42 * len(names)), 4.6), layout="constrained")
    axes = figure.subplots()
    over = summary.emotion.ua
    if over.sd is not None:
        _draw_band(axes, over.mean, over.sd, len(summary.folds))
    axes.bar(positions, [100 * scores.ua for scores in found], 0.55, color=_colours(len(names)), label="UA")
    axes.plot(
        positions + 0.16,
        [100 * s.wa for s in found],
        linestyle="none",
        marker="D",
        markersize=5,
        color="black",
        markerfacecolor="white",
        label="WA",
    )
    bounded = [(x, s.ua, s.intervals.ua) for x, s in zip(positions, found, strict=True) if s.intervals]
    if bounded:
        axes.errorbar(
            [x for x, _, _ in bounded],
            [100 * ua for _, ua, _ in bounded],
            yerr=np.array([[100 * max(ua - i.low, 0), 100 * max(i.high - ua, 0)] for _, ua, i in bounded]).T,
            fmt="none",
            color="black",
            capsize=4,
            label="95 % interval of UA, bootstrap over speakers",
        )
    axes.set_xticks(positions, names, rotation=90 if long else 0)
    axes.set(xlabel="fold", ylabel="%", ylim=(0, 100), xlim=(-0.7, positions[-1] + 0.7))
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    if heading:
        axes.set_title("\n".join(wrap_heading(heading, 80)), fontsize=11)
    return figure


def speakers_figure(scores: Scores, genders: Mapping[str, str]) -> Figure:
    """UA of every test speaker, sorted, with the UA of all clips and its interval as a band.

    ``genders``: speaker → gender, shown by marker and colour. Names are listed below if there is room.
    """
    ranked = sorted(scores.by_speaker, key=lambda score: (score.ua, score.name))
    named = len(ranked) <= _MOST_NAMES
    figure = Figure(figsize=(min(11, max(4.6, 1.6 + 0.3 * len(ranked))), 4.2), layout="constrained")
    axes = figure.subplots()
    if scores.intervals is not None:
        low, high = 100 * scores.intervals.ua.low, 100 * scores.intervals.ua.high
        axes.axhspan(low, high, color="tab:grey", alpha=0.2, label="its 95 % interval")
    axes.axhline(100 * scores.ua, color="black", linewidth=1, label="UA of all clips")
    markers = {"female": ("o", "#D55E00"), "male": ("s", "#0072B2")}
    for gender in sorted({genders.get(score.name, "") for score in ranked}):
        at = [i for i, score in enumerate(ranked) if genders.get(score.name, "") == gender]
        marker, colour = markers.get(gender, ("D", "#555555"))
        heights = [100 * ranked[i].ua for i in at]
        axes.plot(
            at, heights, linestyle="none", marker=marker, color=colour, label=gender or "gender unknown"
        )
    axes.set(ylabel="UA (%)", ylim=(0, 100), xlim=(-0.7, len(ranked) - 0.3))
    names = [score.name for score in ranked]
    axes.set_xticks(range(len(ranked)) if named else [], names if named else [], rotation=90, fontsize=8)
    axes.set_xlabel(
        "" if named else f"{format_count(len(ranked), 'test speaker')}, from the lowest to the highest UA"
    )
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=2, fontsize=9)
    return figure


def _draw_band(axes: Axes, mean: float, sd: float, folds: int) -> None:
    edges = (-0.5, folds - 0.5)
    axes.fill_between(edges, 100 * (mean - sd), 100 * (mean + sd), color="tab:blue", alpha=0.12)
    label = "mean ± sd of UA over folds"
    axes.plot(edges, (100 * mean, 100 * mean), color="tab:blue", linestyle=":", label=label)


def _colours(bars: int) -> list[str]:
    return ["tab:blue"] * (bars - 1) + ["tab:orange"]
