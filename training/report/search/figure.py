"""Pictures of a search: the objective of every trial, and validation against test."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from training.report.search.result import SearchedFold


def objective_figure(fold: SearchedFold) -> Figure:
    """Validation UA of each complete trial, and the best so far; pruned and failed trials as ticks below."""
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    axes = figure.subplots()
    complete = [(trial.number, 100 * trial.ua) for trial in fold.trials if trial.ua is not None]
    numbers, values = zip(*complete, strict=True)
    axes.plot(numbers, values, "o", markersize=4, color="#8ab8d8", label="complete trial")
    axes.step(numbers, np.maximum.accumulate(values), where="post", color="#0072B2", label="best so far")
    ended = [trial.number for trial in fold.trials if trial.ua is None]
    if ended:
        low = min(values)
        axes.plot(ended, [low] * len(ended), "|", color="0.5", label="pruned or failed")
    axes.axhline(100 * fold.test_ua, color="black", linewidth=1, linestyle=":", label="test of the best")
    axes.set(xlabel="trial", ylabel="UA (%)")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    return figure
