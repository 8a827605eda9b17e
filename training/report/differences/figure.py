"""Differences between results as a forest plot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.metrics.comparison import ComparedFigure
from training.report.differences.record import ResultComparison, ResultComparisons
from training.report.differences.text import letters, part_name
from training.report.differences.wording import signed
from training.report.drawing import encode_png, wrap_heading

_CLEAR, _UNCLEAR = "#0072B2", "#6b7680"

_LABEL_WIDTH = 34
"""Characters of a line of a label."""

Row = tuple[str, ComparedFigure]
"""Label and figure."""


def differences_png(found: ResultComparisons) -> bytes:
    """The forest plot of one comparison, or the overview of several, under what may be claimed."""
    if len(found.comparisons) == 1:
        (one,) = found.comparisons
        return encode_png(forest_figure(one, one.sentence))
    return encode_png(overview_figure(found, f"Differences to {found.baseline.name}"))


def forest_figure(found: ResultComparison, heading: str = "") -> Figure:
    """A − B of each figure with its interval; parts below the figures over all clips.

    An interval that excludes 0 is blue, any other grey. RMSE is left out: it has other units than CCC.
    """
    figures = found.figures
    overall: list[Row] = [(each.figure, each) for each in figures.overall]
    parts: list[list[Row]] = [
        [(part_name(each), each) for each in group]
        for group in (figures.by_part, figures.by_corpus, figures.by_gender)
    ]
    kept = [[row for row in group if row[1].figure != "RMSE"] for group in (overall, *parts)]
    return _forest(kept, "A − B", heading)


def overview_figure(found: ResultComparisons, heading: str = "") -> Figure:
    """The headline difference of every result to the baseline, with its interval."""
    rows = [
        (f"{letter}: {each.result.name}", each.figures.headline)
        for letter, each in zip(letters(found), found.comparisons, strict=True)
    ]
    return _forest([[row] for row in rows], "A − B", heading)


def _forest(groups: Sequence[Sequence[Row]], label: str, heading: str) -> Figure:
    """Rows from top to bottom, with a gap between groups."""
    places: list[float] = []
    rows: list[Row] = []
    place = 0.0
    for group in groups:
        for row in group:
            places.append(place)
            rows.append(row)
            place -= 1
        place -= 0.6
    figure = Figure(figsize=(7.2, 1.4 + 0.3 * -place), layout="constrained")
    axes = figure.subplots()
    _draw_rows(axes, places, [found for _, found in rows])
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(places, ["\n".join(wrap_heading(name, _LABEL_WIDTH)) for name, _ in rows])
    axes.set_ylim(places[-1] - 0.6, places[0] + 0.6)
    headline = rows[0][1]
    unit = "" if headline.figure == "CCC" else ", points"
    axes.set(xlabel=f"{label}{unit} (95 % interval, paired bootstrap over speakers)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    if heading:
        axes.set_title("\n".join(wrap_heading(heading, 84)), fontsize=10)
    return figure


def _draw_rows(axes: Axes, places: Sequence[float], figures: Sequence[ComparedFigure]) -> None:
    for place, found in zip(places, figures, strict=True):
        scale = 1 if found.figure == "CCC" else 100
        middle, interval = scale * found.difference.value, found.difference.interval
        colour = _CLEAR if found.difference.excludes_zero else _UNCLEAR
        bounds = (
            None
            if interval is None
            else np.array([[max(middle - scale * interval.low, 0)], [max(scale * interval.high - middle, 0)]])
        )
        axes.errorbar([middle], [place], xerr=bounds, fmt="o", color=colour, capsize=3, markersize=5)
        axes.annotate(
            signed(found, found.difference.value),
            (1.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=9,
            color=colour,
        )
