"""Figures of one test: confusion matrices and reliability diagrams, as PNG files and for pages.

A figure for a page has no heading of its own; the page has one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from schemas.labels import Target
from schemas.messages.counts import format_count
from training.metrics.calibration import BINS, Calibration
from training.metrics.scores import Evaluation, Scores
from training.report.drawing import encode_png, wrap_heading
from training.report.wording import speakers

_LEGEND = "upper figure: % of the true class, lower: clips"


def confusion_png(scores: Scores, heading: str) -> bytes:
    """:func:`confusion_figure` under ``heading``, which names model, corpora and protocol."""
    return encode_png(confusion_figure(scores, heading))


def confusion_figure(scores: Scores, heading: str = "") -> Figure:
    """Confusion matrix.

    Colour and upper figure show the share of the true class in %, the lower figure clips. Cells without clips
    are empty, except on the diagonal; a class without test clips has a dash there.
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
            in_layout=False,  # they lie within the axes, and measuring them takes a seventh of the drawing
        )
    figure.colorbar(image, ax=axes, label="% of the true class", shrink=0.8)
    tested = "" if scores.tested == n else f" over {scores.tested} of {n} classes"
    clips = format_count(scores.support, "clip")
    result = f"UA {100 * scores.ua:.1f} %{tested}, WA {100 * scores.wa:.1f} %, {clips}"
    title = [*wrap_heading(heading, int(9 * side)), f"{result} of {speakers(scores.speakers)}"]
    axes.set_title("\n".join(title), fontsize=11, pad=20)
    axes.text(0.5, 1.01, _LEGEND, transform=axes.transAxes, ha="center", fontsize=9, color="dimgrey")
    return figure


def reliability_png(evaluation: Evaluation, target: Target, heading: str) -> bytes:
    """Reliability diagrams of emotions and, if they differ, of the model's own classes.

    Above, accuracy against confidence (the highest probability) in
    :data:`training.metrics.calibration.BINS` bins, with the gap to the diagonal; below, the clips per bin.
    """
    sets = [("emotion", evaluation.emotion)]
    if target is Target.GENDER_EMOTION:
        sets.append(("gender × emotion", evaluation.own))
    return encode_png(_reliability_figure(sets, heading))


def reliability_figure(name: str, scores: Scores) -> Figure:
    """The reliability diagram of one set of classes, such as ``emotion``."""
    return _reliability_figure([(name, scores)], "")


def _reliability_figure(sets: Sequence[tuple[str, Scores]], heading: str) -> Figure:
    figure = Figure(figsize=(0.8 + 4.7 * len(sets), 6.4), layout="constrained")
    columns = figure.subplots(2, len(sets), height_ratios=(4, 1), sharex=True, squeeze=False)
    for (name, scores), (diagram, histogram) in zip(sets, columns.T, strict=True):
        _draw_reliability(scores.calibration, diagram, histogram)
        ece, brier = scores.calibration.ece, scores.calibration.brier
        diagram.set_title(f"{name}: ECE {100 * ece:.1f} %, Brier score {brier:.3f}", fontsize=10)
        histogram.set(xlabel="confidence (%)")
    columns[0, 0].set(ylabel="accuracy (%)")
    columns[1, 0].set(ylabel="clips")
    if heading:
        figure.suptitle("\n".join(wrap_heading(heading, 62 * len(sets))), fontsize=11)
    return figure


def _draw_reliability(found: Calibration, diagram: Axes, histogram: Axes) -> None:
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
