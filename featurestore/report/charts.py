"""Charts of the report: numbers of clips, and histograms of the recordings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from featurestore.page.picture import Picture, svg_picture
from featurestore.report.contents import Contents
from featurestore.report.measures import Measure
from featurestore.report.theme import CORPUS_COLOURS, GENDER_COLOURS, GREY, WIDTH, figure
from schemas.messages.counts import format_count

MOST_PANELS = 6
"""Corpora with a panel of their own."""


def draw_counts(contents: Contents) -> Picture:
    """Clips per emotion, one panel per corpus (at most :data:`MOST_PANELS`) and one colour per gender."""
    shown = contents.corpora[:MOST_PANELS]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    height = rows * (0.75 + 0.27 * len(contents.emotions)) + 0.5
    heights = np.arange(len(contents.emotions))[::-1]
    with figure(height, WIDTH * (0.62 if columns == 1 else 1)) as drawn:
        panels = drawn.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, corpus, counts in zip(panels, shown, contents.counts, strict=False):
            left = np.zeros(len(heights))
            for gender, clips in zip(contents.genders, counts, strict=True):
                axes.barh(heights, clips, left=left, height=0.72, color=GENDER_COLOURS[gender], label=gender)
                left += clips
            for height_of_bar, total in zip(heights, left, strict=True):
                axes.annotate(
                    f"{total:,.0f}", (total, height_of_bar), (4, 0), textcoords="offset points", va="center"
                )
            axes.set_yticks(heights, contents.emotions)
            axes.tick_params(axis="y", length=0)
            axes.set(title=corpus.name, xlabel="clips", xlim=(0, 1.2 * max(1.0, float(left.max()))))
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.grid(axis="x")
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        handles, labels = panels[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper right", ncols=len(labels))
        return svg_picture(drawn, f"Clips per emotion and gender, in {', '.join(c.name for c in shown)}")


def draw_histograms(measures: Sequence[Measure], mark: tuple[float, str] | None = None) -> Picture:
    """Histograms of measures, with one panel per measure and one line per corpus, in % of its clips.

    The largest corpora have a colour each; all others share one grey line. ``mark``: a value on the axis of
    the first measure, and its label.
    """
    columns = min(2, len(measures))
    rows = -(-len(measures) // columns)
    groups = _groups(measures[0])
    with figure(2.35 * rows + 0.4) as drawn:
        panels = drawn.subplots(rows, columns, squeeze=False).ravel()
        for axes, measure in zip(panels, measures, strict=False):
            _histogram(axes, measure, groups)
        if mark is not None:
            panels[0].axvline(mark[0], color="#57606a", linestyle=(0, (4, 3)), linewidth=1.2)
            panels[0].annotate(
                mark[1], (mark[0], 0.98), (5, 0), xycoords=("data", "axes fraction"),
                textcoords="offset points", va="top", color="#57606a",
            )  # fmt: skip
        for axes in panels[len(measures) :]:
            axes.set_axis_off()
        drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(groups))
        titles = ", ".join(measure.column.title for measure in measures)
        return svg_picture(drawn, f"Histograms of the recordings, by corpus: {titles}")


def _groups(measure: Measure) -> list[tuple[str, str, tuple[int, ...]]]:
    """(name, colour, indices in ``measure.corpora``) of each line."""
    sizes = [corpus.known + corpus.unknown for corpus in measure.corpora]
    ranked = sorted(range(len(sizes)), key=lambda index: (-sizes[index], index))
    own, others = ranked[: len(CORPUS_COLOURS)], ranked[len(CORPUS_COLOURS) :]
    groups: list[tuple[str, str, tuple[int, ...]]] = [
        (measure.corpora[index].corpus, colour, (index,))
        for index, colour in zip(sorted(own), CORPUS_COLOURS, strict=False)
    ]
    return (
        [*groups, (f"{format_count(len(others), 'other corpus', 'other corpora')}", GREY, tuple(others))]
        if others
        else groups
    )


def _histogram(axes: Axes, measure: Measure, groups: list[tuple[str, str, tuple[int, ...]]]) -> None:
    for name, colour, indices in groups:
        counts = np.sum([measure.corpora[index].histogram for index in indices], axis=0)
        share = 100 * counts / max(1, counts.sum())
        axes.stairs(share, measure.edges, color=colour, alpha=0.14, fill=True)
        axes.stairs(share, measure.edges, color=colour, linewidth=1.6, label=name)
    column = measure.column
    axes.set(title=column.title, xlabel=column.unit, ylabel="% of clips")
    axes.set_xlim(measure.edges[0], measure.edges[-1])
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
