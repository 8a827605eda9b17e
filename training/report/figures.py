"""Figures of a run and of a summary of folds: drawn once, as PNG files and for pages.

A figure for a page stands under a heading of the page and has none of its own.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from schemas.labels import Target
from training.metrics.calibration import BINS, Calibration
from training.metrics.scores import Evaluation, Scores
from training.report.summary import Summary
from training.report.wording import speakers
from training.runs.observer import EpochResult

_DPI = 130

_MOST_NAMES = 40
"""Speakers whose names can be read below a diagram."""

_LEGEND = "upper figure: % of the true class, lower: clips"


def curves_png(history: Sequence[EpochResult], title: str, reason: str | None = None) -> bytes:
    """Losses, validation UA and WA, and learning rate against epochs, at least one; the best is marked.

    The best epoch is the last that was called so when it ended; ``reason`` says by what, such as
    ``lowest validation loss``.
    """
    figure = Figure(figsize=(13, 4), layout="constrained")
    for draw, axes in zip(_CURVES, figure.subplots(1, 3, width_ratios=(4, 4, 3)), strict=True):
        _curve(draw, axes, history, reason)
    figure.suptitle(title)
    return _png(figure)


def curve_figures(history: Sequence[EpochResult], reason: str | None = None) -> tuple[Figure, Figure, Figure]:
    """The three diagrams of :func:`curves_png`, each by itself: losses, shares, learning rate."""
    loss, share, rate = (Figure(figsize=(4.6, 3.5), layout="constrained") for _ in _CURVES)
    for draw, figure in zip(_CURVES, (loss, share, rate), strict=True):
        _curve(draw, figure.subplots(), history, reason)
    return loss, share, rate


def _curve(draw: _Draw, axes: Axes, history: Sequence[EpochResult], reason: str | None) -> None:
    """One diagram with its axis of epochs, the best of them marked."""
    epochs = [result.epoch for result in history]
    draw(axes, epochs, history)
    best = max((result.epoch for result in history if result.best), default=None)
    if best is not None:
        marked = f"epoch {best}" + (f", {reason}" if reason else ", best")
        axes.axvline(best, color="grey", linestyle=":", label=marked)
    axes.set_xlim(0.5, epochs[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    if draw is not _rates:
        axes.legend()


def _losses(axes: Axes, epochs: Sequence[int], history: Sequence[EpochResult]) -> None:
    axes.plot(epochs, [r.train_loss for r in history], marker=".", label="training")
    axes.plot(epochs, [r.validation_loss for r in history], marker="x", label="validation")
    axes.set(xlabel="epoch", ylabel="cross-entropy (nats)")


def _shares(axes: Axes, epochs: Sequence[int], history: Sequence[EpochResult]) -> None:
    axes.plot(epochs, [100 * r.validation_ua for r in history], marker=".", label="UA, validation")
    axes.plot(epochs, [100 * r.validation_wa for r in history], marker="x", label="WA, validation")
    axes.set(xlabel="epoch", ylabel="%", ylim=(0, 100))


def _rates(axes: Axes, epochs: Sequence[int], history: Sequence[EpochResult]) -> None:
    rates = [r.learning_rate for r in history]
    axes.plot(epochs, rates, marker=".", color="tab:green")
    axes.set(xlabel="epoch", ylabel="learning rate", yscale="log" if min(rates) > 0 else "linear")


_Draw = Callable[[Axes, Sequence[int], Sequence[EpochResult]], None]

_CURVES: tuple[_Draw, ...] = (_losses, _shares, _rates)


def confusion_png(scores: Scores, heading: str) -> bytes:
    """:func:`confusion_figure` under ``heading``, which names model, corpora and protocol."""
    return _png(confusion_figure(scores, heading))


def confusion_figure(scores: Scores, heading: str = "") -> Figure:
    """Confusion matrix.

    Colour and upper figure are the share of the true class in %, below it clips. Cells without clips
    stay empty, but for the diagonal; a class without test clips has a dash there.
    """
    counts = np.array(scores.confusion)
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    names = [name.replace("_", " ") for name in scores.class_names]
    n = len(names)
    side = 2.0 + 0.62 * n
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(n), [f"{name} ({total})" for name, total in zip(names, rows[:, 0], strict=True)])
    axes.set_xlabel("predicted")
    axes.set_ylabel("true (clips)", labelpad=8)
    for i, j in np.argwhere((counts > 0) | np.eye(n, dtype=bool)):
        axes.text(
            j,
            i,
            f"{100 * shares[i, j]:.0f}\n{counts[i, j]}" if rows[i, 0] else "–",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if shares[i, j] > 0.55 else "black",
        )
    figure.colorbar(image, ax=axes, label="% of the true class", shrink=0.8)
    tested = "" if scores.tested == n else f" over {scores.tested} of {n} classes"
    result = f"UA {100 * scores.ua:.1f} %{tested}, WA {100 * scores.wa:.1f} %, {scores.support:,} clips"
    title = [*_lines(heading, int(9 * side)), f"{result} of {speakers(scores.speakers)}"]
    axes.set_title("\n".join(title), fontsize=11, pad=20)
    axes.text(0.5, 1.01, _LEGEND, transform=axes.transAxes, ha="center", fontsize=9, color="dimgrey")
    return figure


def reliability_png(evaluation: Evaluation, target: Target, heading: str) -> bytes:
    """Reliability diagrams of emotions and, where they differ, of the model's own classes.

    Above, accuracy against confidence (the highest probability) in
    :data:`training.metrics.calibration.BINS` bins, with the gap to the diagonal; below, how many clips each
    bin holds.
    """
    sets = [("emotion", evaluation.emotion)]
    if target is Target.GENDER_EMOTION:
        sets.append(("gender × emotion", evaluation.own))
    return _png(_reliability_figure(sets, heading))


def reliability_figure(name: str, scores: Scores) -> Figure:
    """The reliability diagram of one set of classes, such as ``emotion``."""
    return _reliability_figure([(name, scores)], "")


def _reliability_figure(sets: Sequence[tuple[str, Scores]], heading: str) -> Figure:
    figure = Figure(figsize=(0.8 + 4.7 * len(sets), 6.4), layout="constrained")
    columns = figure.subplots(2, len(sets), height_ratios=(4, 1), sharex=True, squeeze=False)
    for (name, scores), (diagram, histogram) in zip(sets, columns.T, strict=True):
        _reliability(scores.calibration, diagram, histogram)
        ece, brier = scores.calibration.ece, scores.calibration.brier
        diagram.set_title(f"{name}: ECE {100 * ece:.1f} %, Brier score {brier:.3f}", fontsize=10)
        histogram.set(xlabel="confidence (%)")
    columns[0, 0].set(ylabel="accuracy (%)")
    columns[1, 0].set(ylabel="clips")
    if heading:
        figure.suptitle("\n".join(_lines(heading, 62 * len(sets))), fontsize=11)
    return figure


def _reliability(found: Calibration, diagram: Axes, histogram: Axes) -> None:
    middles = [50 * (b.lower + b.upper) for b in found.bins]
    accuracy = [100 * b.accuracy for b in found.bins]
    confidence = [100 * b.confidence for b in found.bins]
    width = 100 / BINS
    diagram.bar(middles, accuracy, width, color="#6baed6", edgecolor="white", label="accuracy")
    diagram.bar(
        middles,
        [c - a for a, c in zip(accuracy, confidence, strict=True)],
        width,
        bottom=accuracy,
        color="none",
        edgecolor="tab:red",
        hatch="//",
        linewidth=0.8,
        label="gap to the confidence",
    )
    diagram.plot([0, 100], [0, 100], color="grey", linestyle="--", linewidth=1, label="calibrated")
    diagram.set(xlim=(0, 100), ylim=(0, 100))
    diagram.legend(loc="upper left", fontsize=9)
    diagram.grid(alpha=0.3)
    histogram.bar(middles, [b.clips for b in found.bins], width, color="#6baed6", edgecolor="white")
    histogram.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    histogram.grid(alpha=0.3)


def folds_png(summary: Summary) -> bytes:
    """:func:`folds_figure` under subject and title of the summary."""
    return _png(folds_figure(summary, f"{summary.subject}\n{summary.title}"))


def folds_figure(summary: Summary, heading: str = "") -> Figure:
    """UA and WA of emotions in each fold and of all pooled, with the intervals of UA.

    A band shows mean ± sd of UA over the folds; a fold of too few speakers has no interval.
    """
    names = [*(fold.name for fold in summary.folds), "pooled"]
    found = [*(fold.evaluation.emotion for fold in summary.folds), summary.pooled.emotion]
    places = np.arange(len(names), dtype=np.float64)
    places[-1] += 0.5
    long = max(map(len, names)) > 8 or len(names) > 16
    figure = Figure(figsize=(max(6.5, 2.5 + 0.42 * len(names)), 4.6), layout="constrained")
    axes = figure.subplots()
    over = summary.emotion.ua
    if over.sd is not None:
        _band(axes, over.mean, over.sd, len(summary.folds))
    axes.bar(places, [100 * scores.ua for scores in found], 0.55, color=_colours(len(names)), label="UA")
    axes.plot(
        places + 0.16,
        [100 * s.wa for s in found],
        linestyle="none",
        marker="D",
        markersize=5,
        color="black",
        markerfacecolor="white",
        label="WA",
    )
    bounded = [(x, s.ua, s.intervals.ua) for x, s in zip(places, found, strict=True) if s.intervals]
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
    axes.set_xticks(places, names, rotation=90 if long else 0)
    axes.set(xlabel="fold", ylabel="%", ylim=(0, 100), xlim=(-0.7, places[-1] + 0.7))
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    if heading:
        axes.set_title("\n".join(_lines(heading, 80)), fontsize=11)
    return figure


def speakers_figure(scores: Scores, genders: Mapping[str, str]) -> Figure:
    """UA of every test speaker, sorted, with the UA of all clips and its interval as a band.

    ``genders``: speaker → gender, which marker and colour tell. Names stand below where there is room.
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
    axes.set_xlabel("" if named else f"{len(ranked)} test speakers, from the lowest to the highest UA")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=2, fontsize=9)
    return figure


def _band(axes: Axes, mean: float, sd: float, folds: int) -> None:
    edges = (-0.5, folds - 0.5)
    axes.fill_between(edges, 100 * (mean - sd), 100 * (mean + sd), color="tab:blue", alpha=0.12)
    label = "mean ± sd of UA over folds"
    axes.plot(edges, (100 * mean, 100 * mean), color="tab:blue", linestyle=":", label=label)


def _colours(bars: int) -> list[str]:
    return ["tab:blue"] * (bars - 1) + ["tab:orange"]


def _lines(heading: str, width: int) -> list[str]:
    return [line for part in heading.splitlines() for line in textwrap.wrap(part, width)]


def _png(figure: Figure) -> bytes:
    """PNG of a figure, cut to what is drawn. A bare ``Figure`` draws with Agg; pyplot stays out."""
    content = io.BytesIO()
    with mpl.rc_context({"savefig.facecolor": "white"}):
        figure.savefig(content, format="png", dpi=_DPI, bbox_inches="tight")
    return content.getvalue()
