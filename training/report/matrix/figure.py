"""A matrix as a heat map."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.report.drawing import encode_png, wrap_heading
from training.report.matrix.result import PLAIN, Cell, Matrix
from training.report.matrix.text import points
from training.report.wording import interval_cell

_MOST_POINTS = 30
"""Change of UA, in points, with the darkest colour."""


def matrix_png(matrix: Matrix) -> bytes:
    """:func:`matrix_figure` under subject and title."""
    return encode_png(matrix_figure(matrix, f"{matrix.subject}\n{matrix.title}"))


def matrix_figure(matrix: Matrix, heading: str = "") -> Figure:
    """Heat map of the plain cells, and beside it one of the change by each step.

    Text: UA in %, its interval, and the UA of chance. The colour is UA rescaled so
    that chance is 0 and no errors is 1, so that cells with different classes compare. In maps of a step, text
    and colour are the change of UA in points.
    """
    maps = 1 + len(matrix.steps)
    rows, columns = len(matrix.rows), len(matrix.corpora)
    width, height = 1.9 + 1.25 * columns, 1.6 + 0.85 * rows
    figure = Figure(figsize=(width * maps, height), layout="constrained")
    all_axes = figure.subplots(1, maps, squeeze=False)[0]
    for axes, step in zip(all_axes, (PLAIN, *matrix.steps), strict=True):
        _draw(figure, axes, matrix, step)
    if heading:
        figure.suptitle("\n".join(wrap_heading(heading, int(12 * width * maps))), fontsize=11)
    return figure


def _draw(figure: Figure, axes: Axes, matrix: Matrix, step: str) -> None:
    values = np.full((len(matrix.rows), len(matrix.corpora)), np.nan)
    plain = step == PLAIN
    for i, row in enumerate(matrix.rows):
        for j, test in enumerate(matrix.corpora):
            cell = matrix.cell(step, row, test)
            value = None if cell is None else _value(cell)
            values[i, j] = np.nan if value is None else value
            text = "–" if cell is None or value is None else _text(cell)
            dark = value is not None and (value > 0.6 if plain else abs(value) > 0.65 * _MOST_POINTS)
            colour = "white" if dark else "black"
            axes.text(j, i, text, ha="center", va="center", fontsize=8, color=colour, in_layout=False)
    if plain:
        image = axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        label = "UA above chance"
    else:
        image = axes.imshow(values, cmap="RdBu", vmin=-_MOST_POINTS, vmax=_MOST_POINTS, aspect="auto")
        label = f"change of UA by {step} (points)"
    axes.set_facecolor("#dddddd")
    axes.set_xticks(
        range(len(matrix.corpora)), matrix.corpora, rotation=30, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(matrix.rows)), matrix.rows)
    axes.set(xlabel="tested on", ylabel="trained on")
    figure.colorbar(image, ax=axes, label=label, shrink=0.9)


def _value(cell: Cell) -> float | None:
    """What the colour shows."""
    if cell.result is None:
        return None
    if cell.plan.step is None:
        return cell.result.above_chance
    return None if cell.result.effect is None else 100 * cell.result.effect.ua


def _text(cell: Cell) -> str:
    result = cell.result
    if result is None:
        return "–"
    if cell.plan.step is not None:
        return "–" if result.effect is None else points(result.effect.ua)
    scores = result.scores
    bounds = "" if scores.intervals is None else f"\n{interval_cell(scores.intervals.ua)}"
    return f"{100 * scores.ua:.1f} %{bounds}\nchance {100 * result.chance:.0f} %"
