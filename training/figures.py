"""Figures of a run and of a summary of folds, as PNG."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from schemas.labels import Target
from training.calibration import BINS, Calibration
from training.metrics import Evaluation, Scores
from training.observer import EpochResult
from training.summary import Summary
from training.wording import speakers

_DPI = 130

_LEGEND = "upper figure: % of the true class, lower: clips"


def curves_png(history: Sequence[EpochResult], title: str, reason: str | None = None) -> bytes:
    """Losses, validation UA and WA, and learning rate against epochs, at least one; the best is marked.

    The best epoch is the last that was called so when it ended; ``reason`` says by what, such as
    ``lowest validation loss``.
    """
    epochs = [result.epoch for result in history]
    best = max((result.epoch for result in history if result.best), default=None)
    figure = Figure(figsize=(13, 4), layout="constrained")
    loss, share, rate = figure.subplots(1, 3, width_ratios=(4, 4, 3))
    loss.plot(epochs, [r.train_loss for r in history], marker=".", label="training")
    loss.plot(epochs, [r.validation_loss for r in history], marker=".", label="validation")
    loss.set(xlabel="epoch", ylabel="cross-entropy (nats)")
    share.plot(epochs, [100 * r.validation_ua for r in history], marker=".", label="UA, validation")
    share.plot(epochs, [100 * r.validation_wa for r in history], marker=".", label="WA, validation")
    share.set(xlabel="epoch", ylabel="%", ylim=(0, 100))
    rates = [r.learning_rate for r in history]
    rate.plot(epochs, rates, marker=".", color="tab:green")
    rate.set(xlabel="epoch", ylabel="learning rate", yscale="log" if min(rates) > 0 else "linear")
    marked = "best" if best is None else f"epoch {best}" + (f", {reason}" if reason else ", best")
    for axes in (loss, share, rate):
        if best is not None:
            axes.axvline(best, color="grey", linestyle=":", label=marked)
        axes.set_xlim(0.5, epochs[-1] + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        if axes is not rate:
            axes.legend()
    figure.suptitle(title)
    return _png(figure)


def confusion_png(scores: Scores, heading: str) -> bytes:
    """Confusion matrix under ``heading``, which names model, corpora and protocol.

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
    return _png(figure)


def reliability_png(evaluation: Evaluation, target: Target, heading: str) -> bytes:
    """Reliability diagrams of emotions and, where they differ, of the model's own classes.

    Above, accuracy against confidence (the highest probability) in :data:`training.calibration.BINS` bins,
    with the gap to the diagonal; below, how many clips each bin holds.
    """
    sets = [("emotion", evaluation.emotion)]
    if target is Target.GENDER_EMOTION:
        sets.append(("gender × emotion", evaluation.own))
    figure = Figure(figsize=(0.8 + 4.7 * len(sets), 6.4), layout="constrained")
    columns = figure.subplots(2, len(sets), height_ratios=(4, 1), sharex=True, squeeze=False)
    for (name, scores), (diagram, histogram) in zip(sets, columns.T, strict=True):
        _reliability(scores.calibration, diagram, histogram)
        ece, brier = scores.calibration.ece, scores.calibration.brier
        diagram.set_title(f"{name}: ECE {100 * ece:.1f} %, Brier score {brier:.3f}", fontsize=10)
        histogram.set(xlabel="confidence (%)")
    columns[0, 0].set(ylabel="accuracy (%)")
    columns[1, 0].set(ylabel="clips")
    figure.suptitle("\n".join(_lines(heading, 62 * len(sets))), fontsize=11)
    return _png(figure)


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
    axes.set_title("\n".join(_lines(f"{summary.subject}\n{summary.title}", 80)), fontsize=11)
    return _png(figure)


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
