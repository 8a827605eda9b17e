"""Figures of what a model listens to: importance of each part of its input, and attention over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.metrics.importance import Importance
from training.report.drawing import encode_png, wrap_heading
from training.report.explanation import AttendedClip

_WIDTH = 6.8
"""Inches."""


def importance_png(found: Importance, heading: str) -> bytes:
    """:func:`importance_figure` under a heading."""
    return encode_png(importance_figure(found, heading))


def importance_figure(found: Importance, heading: str = "") -> Figure:
    """One bar per part, the most important at the top, with its interval over speakers."""
    parts = found.ranked
    figure = Figure(figsize=(_WIDTH, 1.4 + 0.36 * len(parts)), layout="constrained")
    axes = figure.subplots()
    rows = np.arange(len(parts))[::-1]
    drops = np.array([100 * part.drop for part in parts])
    axes.barh(rows, drops, 0.6, color="#0072B2")
    bounds = [
        (max(part.drop - part.interval.low, 0), max(part.interval.high - part.drop, 0))
        if part.interval
        else (0.0, 0.0)
        for part in parts
    ]
    errors = 100 * np.array(bounds).T
    if errors.any():
        axes.errorbar(drops, rows, xerr=errors, fmt="none", color="black", capsize=3)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(rows, [part.name for part in parts])
    axes.set(xlabel="points of UA that are lost if clips exchange this part")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    if heading:
        axes.set_title("\n".join(wrap_heading(heading, 72)), fontsize=11)
    return figure


def attention_png(clips: Sequence[AttendedClip], heading: str) -> bytes:
    """:func:`attention_figure` under a heading."""
    return encode_png(attention_figure(clips, heading))


def attention_figure(clips: Sequence[AttendedClip], heading: str = "") -> Figure:
    """A column per clip: its feature above the weight of each step, on the same axis of time."""
    columns = min(3, len(clips))
    lines = -(-len(clips) // columns)
    figure = Figure(figsize=(_WIDTH + 1.6, 2.9 * lines + 0.3), layout="constrained")
    grid = figure.subplots(2 * lines, columns, squeeze=False, height_ratios=[3, 2] * lines)
    for axes in grid.flat:
        axes.set_visible(False)
    top = max(float(clip.weights.max()) / clip.step_s for clip in clips)
    for number, clip in enumerate(clips):
        line, column = divmod(number, columns)
        _draw_clip(grid[2 * line, column], grid[2 * line + 1, column], clip, top)
    if heading:
        figure.suptitle("\n".join(wrap_heading(heading, 72)), fontsize=11)
    return figure


def _draw_clip(above: Axes, below: Axes, clip: AttendedClip, top: float) -> None:
    rows, frames = clip.values.shape
    half = clip.hop_s / 2
    end_s = min(len(clip.weights) * clip.step_s, (frames - 1) * clip.hop_s + half)
    for axes in (above, below):
        axes.set_visible(True)
        axes.set_xlim(0, end_s)
        axes.tick_params(labelsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    above.imshow(
        clip.values.astype(np.float32),
        origin="lower",
        aspect="auto",
        extent=(-half, (frames - 1) * clip.hop_s + half, -0.5, rows - 0.5),
        cmap="magma",
        interpolation="nearest",
    )
    above.set_xlim(0, end_s)
    said = "right" if clip.is_right else f"said {clip.predicted}"
    above.set_title(f"{clip.true}: {said} ({100 * clip.probability:.0f} %)", fontsize=9)
    above.set_ylabel("mel band" if clip.feature == "mel" else clip.feature, fontsize=8)
    above.tick_params(labelbottom=False)
    edges = np.arange(len(clip.weights) + 1) * clip.step_s
    below.stairs(clip.weights / clip.step_s, edges, fill=True, color="#0072B2")
    below.set(ylim=(0, 1.05 * top))
    below.set_xlabel("s", fontsize=8)
    below.set_ylabel("weight per s", fontsize=8)
