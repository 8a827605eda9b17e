"""Figures of a regression: predictions against labels, and the CCC of folds and of speakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from schemas.messages.counts import format_count
from training.metrics.dimensions import DimensionEvaluation
from training.metrics.value_predictions import ValuePredictions
from training.report.dimensions.wording import ccc, rmse
from training.report.drawing import encode_png, wrap_heading

_MOST_NAMES = 40
"""Most names that are readable below a diagram."""

_GENDERS = {"female": ("o", "#D55E00"), "male": ("s", "#0072B2")}


def scatter_png(predictions: ValuePredictions, found: DimensionEvaluation, heading: str) -> bytes:
    """:func:`scatter_figure` under ``heading``, which names model, corpora and protocol."""
    return encode_png(scatter_figure(predictions, found, heading))


def scatter_figure(predictions: ValuePredictions, found: DimensionEvaluation, heading: str = "") -> Figure:
    """Predictions against labels, one diagram per dimension; a perfect model lies on the diagonal."""
    count = len(predictions.names)
    figure = Figure(figsize=(4.6 * count, 5.0), layout="constrained")
    diagrams = figure.subplots(1, count, squeeze=False)[0]
    for i, (axes, score) in enumerate(zip(diagrams, found.per_dimension, strict=True)):
        _draw_scatter(axes, predictions, i)
        axes.set_title(f"{score.name}: CCC {ccc(score.ccc)}, RMSE {rmse(score.rmse)}", fontsize=10)
    diagrams[0].set_ylabel("predicted")
    diagrams[0].legend(loc="upper left", fontsize=9)
    if heading:
        figure.suptitle("\n".join(wrap_heading(heading, 58 * count)), fontsize=11)
    return figure


def _draw_scatter(axes: Axes, predictions: ValuePredictions, dimension: int) -> None:
    true, predicted = predictions.true[:, dimension], predictions.predicted[:, dimension]
    low, high = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    margin = 0.05 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color="grey", linestyle="--", linewidth=1, label="predicted = label")
    genders = np.array(predictions.gender)
    for gender in sorted({*predictions.gender}):
        marker, colour = _GENDERS.get(gender, ("D", "#555555"))
        at = genders == gender
        axes.plot(
            true[at],
            predicted[at],
            linestyle="none",
            marker=marker,
            markersize=4,
            markeredgewidth=0,
            alpha=0.5,
            color=colour,
            label=gender or "gender unknown",
        )
    axes.set(xlabel="label", xlim=limits, ylim=limits, aspect="equal")
    axes.grid(alpha=0.3)


def speakers_figure(found: DimensionEvaluation, genders: Mapping[str, str]) -> Figure:
    """Mean CCC of every test speaker, sorted, with the CCC of all clips and its interval as a band."""
    ranked = sorted(found.by_speaker, key=lambda score: (score.mean_ccc, score.name))
    named = len(ranked) <= _MOST_NAMES
    figure = Figure(figsize=(min(11, max(4.6, 1.6 + 0.3 * len(ranked))), 4.2), layout="constrained")
    axes = figure.subplots()
    if found.intervals is not None:
        bounds = found.intervals.mean.ccc
        axes.axhspan(bounds.low, bounds.high, color="tab:grey", alpha=0.2, label="its 95 % interval")
    axes.axhline(found.ccc, color="black", linewidth=1, label="CCC of all clips")
    for gender in sorted({genders.get(score.name, "") for score in ranked}):
        at = [i for i, score in enumerate(ranked) if genders.get(score.name, "") == gender]
        marker, colour = _GENDERS.get(gender, ("D", "#555555"))
        heights = [ranked[i].mean_ccc for i in at]
        label = gender or "gender unknown"
        axes.plot(at, heights, linestyle="none", marker=marker, color=colour, label=label)
    axes.set(
        ylabel="CCC", ylim=_ccc_limits([score.mean_ccc for score in ranked]), xlim=(-0.7, len(ranked) - 0.3)
    )
    names = [score.name for score in ranked]
    axes.set_xticks(range(len(ranked)) if named else [], names if named else [], rotation=90, fontsize=8)
    axes.set_xlabel(
        "" if named else f"{format_count(len(ranked), 'test speaker')}, from the lowest to the highest CCC"
    )
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=2, fontsize=9)
    return figure


def folds_figure(
    names: Sequence[str],
    found: Sequence[DimensionEvaluation],
    mean: float,
    sd: float | None,
    heading: str = "",
) -> Figure:
    """Mean CCC of each fold and, last, of all clips pooled, with intervals; the band is mean ± sd of folds.

    ``names`` and ``found`` are those of the folds, then of the pooled clips.
    """
    positions = np.arange(len(names), dtype=np.float64)
    positions[-1] += 0.5
    long = max(map(len, names)) > 8 or len(names) > 16
    figure = Figure(figsize=(max(6.5, 2.5 + 0.42 * len(names)), 4.6), layout="constrained")
    axes = figure.subplots()
    if sd is not None:
        edges = (-0.5, len(names) - 1.5)
        axes.fill_between(edges, mean - sd, mean + sd, color="tab:blue", alpha=0.12)
        axes.plot(edges, (mean, mean), color="tab:blue", linestyle=":", label="mean ± sd of CCC over folds")
    colours = ["tab:blue"] * (len(names) - 1) + ["tab:orange"]
    axes.bar(positions, [each.ccc for each in found], 0.55, color=colours, label="CCC")
    bounded = [
        (x, each.ccc, each.intervals.mean.ccc)
        for x, each in zip(positions, found, strict=True)
        if each.intervals
    ]
    if bounded:
        axes.errorbar(
            [x for x, _, _ in bounded],
            [value for _, value, _ in bounded],
            yerr=np.array([[max(v - i.low, 0), max(i.high - v, 0)] for _, v, i in bounded]).T,
            fmt="none",
            color="black",
            capsize=4,
            label="95 % interval of CCC, bootstrap over speakers",
        )
    lows = [interval.low for _, _, interval in bounded]
    axes.set_xticks(positions, list(names), rotation=90 if long else 0)
    limits = _ccc_limits([*(each.ccc for each in found), *lows])
    axes.set(xlabel="fold", ylabel="CCC", ylim=limits, xlim=(-0.7, positions[-1] + 0.7))
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    if heading:
        axes.set_title("\n".join(wrap_heading(heading, 80)), fontsize=11)
    return figure


def _ccc_limits(values: Sequence[float]) -> tuple[float, float]:
    """0 to 1, or from below the lowest value if it is negative."""
    return (min(0.0, *values, 0.0) * 1.05, 1.0)
