"""Differences between results as text and cells: what may be claimed first."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.messages.counts import choose_form, format_count
from training.metrics.bootstrap import FEWEST_SPEAKERS, LEVEL, REPLICATES
from training.metrics.comparison import ComparedFigure
from training.report.differences.record import ResultComparison, ResultComparisons
from training.report.differences.wording import bounds, change, p_cell, signed, value
from training.report.summary import MeanAndDeviation
from training.report.tables import text_table
from training.report.weights import fold_weights_note, weight_note
from training.report.wording import capitalise, tested_clips, warning, wrap

FIGURE_HEADER = ("A", "B", "A − B", "95 %", "p")
PART_HEADER = ("A", "B", "A − B", "95 %", "clips", "speakers")
EXPLORATORY = (
    "These parts are exploratory: their intervals are not corrected for their number, so some exclude 0 by "
    "chance. They show where to look; claim a difference in a part only after a test on other speakers."
)
"""What the tables of parts may be used for."""

ONE_BASELINE = (
    "p is corrected with Holm's method, so that with a probability of at least 95 % none of the claims above "
    "is wrong. Each interval is on its own."
)
"""How several comparisons are corrected."""


def comparison_text(found: ResultComparisons) -> str:
    """Text for a terminal: what may be claimed, then the figures that it rests on."""
    if len(found.comparisons) > 1:
        return _text_of_several(found)
    (one,) = found.comparisons
    parts = [
        wrap(one.sentence),
        "\n".join(member_lines(found)),
        "\n".join(map(wrap, remarks(found))),
        text_table(("figure", *FIGURE_HEADER), figure_rows(one.figures.overall)),
        "\n".join(map(wrap, (method_note(found), *details(one)))),
        *(text_table((title, *PART_HEADER), part_rows(figures)) for title, figures in tables_of(one)),
        wrap(EXPLORATORY),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _text_of_several(found: ResultComparisons) -> str:
    parts = [
        "\n".join(wrap(one.sentence) for one in found.comparisons),
        "\n".join(member_lines(found)),
        "\n".join(map(wrap, remarks(found))),
        text_table(("result", *overview_header(found)), overview_rows(found)),
        "\n".join(map(wrap, (ONE_BASELINE, method_note(found), mcnemar_caution(found)))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def letters(found: ResultComparisons) -> list[str]:
    """``A``, or ``A1``, ``A2`` … for several results; the baseline is B."""
    count = len(found.comparisons)
    return ["A"] if count == 1 else [f"A{number}" for number in range(1, count + 1)]


def member_lines(found: ResultComparisons) -> list[str]:
    """What A and B are, with the weights of averaged models."""
    lines = []
    for letter, result in zip(
        (*letters(found), "B"), (*(each.result for each in found.comparisons), found.baseline), strict=True
    ):
        lines.append(wrap(f"{letter}: {result.name}, {result.subject}."))
        names = [member.name for member in result.members]
        if len(result.weights) == 1:
            lines.append(wrap(weight_note(result.weights[0], names)))
        elif result.weights:
            lines.append(wrap(fold_weights_note(result.weights, names)))
    return lines


def remarks(found: ResultComparisons) -> list[str]:
    """What must be read with the differences: the test, its protocol, and what else differs."""
    claim = found.baseline.claim
    tested = tested_clips(found.headline.support, found.headline.speakers, claim)
    caution = warning(claim) or next(filter(None, (warning(e.result.claim) for e in found.comparisons)), None)
    several = len(found.comparisons) > 1
    conditions = [
        sentence.replace("(A)", f"({letter})") if several else sentence
        for letter, each in zip(letters(found), found.comparisons, strict=True)
        for sentence in each.conditions
    ]
    return [
        f"Test: {tested}, {claim.title}.",
        *([f"{capitalise(caution)}."] if caution else []),
        *conditions,
    ]


def figure_rows(figures: Sequence[ComparedFigure]) -> list[tuple[str, ...]]:
    """Name of each figure and :data:`FIGURE_HEADER`."""
    return [(each.figure, *_values(each), p_cell(each.difference.p)) for each in figures]


def part_rows(figures: Sequence[ComparedFigure]) -> list[tuple[str, ...]]:
    """Name of each part and :data:`PART_HEADER`."""
    return [(part_name(each), *_values(each), f"{each.support:,}", f"{each.speakers:,}") for each in figures]


def part_name(found: ComparedFigure) -> str:
    """``low arousal``; a dimension with its figure: ``valence, RMSE``."""
    name = found.name.replace("_", " ") or "unknown"
    return f"{name}, RMSE" if found.figure == "RMSE" else name


def tables_of(found: ResultComparison) -> list[tuple[str, tuple[ComparedFigure, ...]]]:
    """Tables of parts, each with the title of its first column."""
    figures = found.figures
    headline = figures.headline.figure
    by_part = "dimension" if headline == "CCC" else "recall of"
    return [
        (by_part, figures.by_part),
        (f"{headline} in", (*figures.by_corpus, *figures.by_gender)),
    ]


def overview_header(found: ResultComparisons) -> tuple[str, ...]:
    """Titles of the cells of :func:`overview_rows`, after the result."""
    exact = () if found.comparisons[0].figures.mcnemar is None else ("McNemar",)
    return (found.headline.figure, "A − B", "95 %", "p", "p (Holm)", *exact, "claim")


def overview_rows(found: ResultComparisons) -> list[tuple[str, ...]]:
    """One row per result, then the baseline."""
    rows = []
    for letter, each in zip(letters(found), found.comparisons, strict=True):
        headline, mcnemar = each.figures.headline, each.figures.mcnemar
        rows.append(
            (
                letter,
                value(headline, headline.difference.first),
                signed(headline, headline.difference.value),
                bounds(headline),
                p_cell(headline.difference.p),
                p_cell(each.adjusted_p),
                *(() if mcnemar is None else (p_cell(mcnemar.p),)),
                each.verdict.claim or "none",
            )
        )
    empty = ("",) * (len(rows[0]) - 2)
    return [*rows, ("B", value(found.headline, found.headline.difference.second), *empty)]


def method_note(found: ResultComparisons) -> str:
    """How interval and p were computed, or why there are none."""
    headline = found.headline
    if headline.difference.interval is None:
        return (
            f"No interval: the paired speaker bootstrap needs at least {FEWEST_SPEAKERS} test speakers; this "
            f"test has {headline.speakers}."
        )
    pooled = "" if not found.baseline.folds else " Figures are over the clips of all folds together."
    return (
        f"{100 * LEVEL:.0f} % interval and p: paired speaker bootstrap, {REPLICATES:,} resamples of the "
        f"{headline.speakers} test speakers with all their clips, the same for A and B. They do not include "
        f"variation between training runs.{pooled}"
    )


def details(found: ResultComparison) -> list[str]:
    """Sentences: McNemar's test with its limit, speakers, folds."""
    headline, sentences = found.figures.headline, []
    if (mcnemar := found.figures.mcnemar) is not None:
        p = p_cell(mcnemar.p)
        sentences.append(
            f"McNemar's exact test: only A recognises {format_count(mcnemar.only_first, 'clip')}, only B "
            f"{mcnemar.only_second:,}; p {p if p.startswith('<') else f'= {p}'}. {CLIPS_DEPEND}"
        )
    counts = found.figures.by_speaker
    equal = f"; {counts.equal} equal" if counts.equal else ""
    sentences.append(
        f"{headline.figure} by speaker: A is higher for {counts.first} of {headline.speakers}, B for "
        f"{counts.second}{equal}."
    )
    if (over := found.over_folds) is not None:
        sentences.append(
            f"{headline.figure} over folds (mean ± sd): A {_over(headline, over.first)}, B "
            f"{_over(headline, over.second)}, A − B {_over(headline, over.difference, difference=True)}; A "
            f"is higher in {over.better} of {over.folds} {choose_form(over.folds, 'fold')}."
        )
    return sentences


CLIPS_DEPEND = (
    "It counts clips as independent, but clips of one speaker are not; the claim rests on the speaker "
    "bootstrap."
)
"""Why McNemar's test decides nothing."""


def mcnemar_caution(found: ResultComparisons) -> str:
    """The limit of McNemar's test in an overview; empty for regressions."""
    return "" if found.comparisons[0].figures.mcnemar is None else f"McNemar: exact p. {CLIPS_DEPEND}"


def summary_line(found: ResultComparison) -> str:
    """``UA +3.1 points (+1.0 to +5.2)``, for text alternatives."""
    return (
        f"{found.figures.headline.figure} {change(found.figures.headline)} ({bounds(found.figures.headline)})"
    )


def _values(found: ComparedFigure) -> tuple[str, ...]:
    difference = found.difference
    return (
        value(found, difference.first),
        value(found, difference.second),
        signed(found, difference.value),
        bounds(found),
    )


def _over(headline: ComparedFigure, found: MeanAndDeviation, *, difference: bool = False) -> str:
    """Mean and deviation of a figure, or of its difference."""
    is_rate = headline.figure != "CCC"
    if difference:
        mean = signed(headline, found.mean)
    else:
        mean = f"{100 * found.mean:.1f}" if is_rate else value(headline, found.mean)
    sd = "" if found.sd is None else f" ± {100 * found.sd:.1f}" if is_rate else f" ± {found.sd:.3f}"
    unit = "" if not is_rate else " points" if difference else " %"
    return f"{mean}{sd}{unit}"
