"""UA in each view as a figure."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from training.report.drawing import encode_png, wrap_heading
from training.report.robustness import Robustness


def robustness_png(found: Robustness) -> bytes:
    """:func:`robustness_figure` under subject and title."""
    return encode_png(robustness_figure(found, f"{found.subject}\n{found.claim.title}"))


def robustness_figure(found: Robustness, heading: str = "") -> Figure:
    """One bar per view, with the interval of UA or, for a series, the deviation over folds.

    A line marks the UA of the originals. Views that every model was trained on have a darker bar.
    """
    views = found.views
    figure = Figure(figsize=(6.8, 1.7 + 0.42 * len(views)), layout="constrained")
    axes = figure.subplots()
    rows = np.arange(len(views))[::-1]
    means = np.array([100 * view.over_folds.ua.mean for view in views])
    heard = [view.in_training == found.models for view in views]
    for wanted, colour, label in ((True, "#0072B2", "in training"), (False, "#8ab8d8", "not in training")):
        chosen = [i for i, each in enumerate(heard) if each is wanted]
        if chosen:
            axes.barh(rows[chosen], means[chosen], 0.6, color=colour, label=label)
    errors = np.array([_error(found, i) for i in range(len(views))]).T
    if errors.any():
        label = "sd over folds" if found.is_series else "95 % interval, bootstrap over speakers"
        axes.errorbar(means, rows, xerr=errors, fmt="none", color="black", capsize=3, label=label)
    axes.axvline(means[0], color="black", linewidth=1, linestyle=":", label="original")
    axes.set_yticks(rows, [view.name for view in views])
    axes.set(xlabel="UA (%)", xlim=(0, 100))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    if heading:
        axes.set_title("\n".join(wrap_heading(heading, 72)), fontsize=11)
    return figure


def _error(found: Robustness, index: int) -> tuple[float, float]:
    """Length of the whisker below and above, in %; 0 if there is neither interval nor deviation."""
    view = found.views[index]
    if found.is_series:
        sd = view.over_folds.ua.sd or 0.0
        return 100 * sd, 100 * sd
    (scores,) = view.folds
    if scores.intervals is None:
        return 0.0, 0.0
    bounds = scores.intervals.ua
    return 100 * max(scores.ua - bounds.low, 0), 100 * max(bounds.high - scores.ua, 0)
