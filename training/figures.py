"""Figures of a run: learning curves and confusion matrices, as PNG."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.metrics import Scores
from training.observer import EpochResult

_DPI = 130

_LEGEND = "upper figure: % of the true class, lower: clips"


def curves_png(history: Sequence[EpochResult], title: str) -> bytes:
    """Losses on the left, validation UA and WA on the right, against epochs; the best epoch is marked."""
    epochs = [result.epoch for result in history]
    best = min(history, key=lambda result: result.validation_loss)
    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, share = figure.subplots(1, 2)
    loss.plot(epochs, [r.train_loss for r in history], marker=".", label="training")
    loss.plot(epochs, [r.validation_loss for r in history], marker=".", label="validation")
    loss.set(xlabel="epoch", ylabel="cross-entropy (nats)")
    share.plot(epochs, [100 * r.validation_ua for r in history], marker=".", label="UA, validation")
    share.plot(epochs, [100 * r.validation_wa for r in history], marker=".", label="WA, validation")
    share.set(xlabel="epoch", ylabel="%", ylim=(0, 100))
    for axes in (loss, share):
        axes.axvline(best.epoch, color="grey", linestyle=":", label=f"best epoch, {best.epoch}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
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
    speakers = "speaker" if scores.speakers == 1 else "speakers"
    tested = "" if scores.tested == n else f" over {scores.tested} of {n} classes"
    result = f"UA {100 * scores.ua:.1f} %{tested}, WA {100 * scores.wa:.1f} %, {scores.support} clips"
    lines = [line for part in heading.splitlines() for line in textwrap.wrap(part, int(9 * side))]
    axes.set_title("\n".join([*lines, f"{result} of {scores.speakers} {speakers}"]), fontsize=11, pad=20)
    axes.text(0.5, 1.01, _LEGEND, transform=axes.transAxes, ha="center", fontsize=9, color="dimgrey")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    """PNG of a figure, cut to what is drawn. A bare ``Figure`` draws with Agg; pyplot stays out."""
    content = io.BytesIO()
    with mpl.rc_context({"savefig.facecolor": "white"}):
        figure.savefig(content, format="png", dpi=_DPI, bbox_inches="tight")
    return content.getvalue()
