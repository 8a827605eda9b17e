"""The page of a comparison, ``report.html`` in the folder of ``ser-evaluate --against … --out``."""

from __future__ import annotations

from dataclasses import dataclass

from featurestore.page.picture import Picture, svg_picture
from featurestore.page.render import render
from training.metrics.comparison import ComparedFigure
from training.report.differences.figure import forest_figure, overview_figure
from training.report.differences.record import ComparedResult, Member, ResultComparison, ResultComparisons
from training.report.differences.text import (
    EXPLORATORY,
    FIGURE_HEADER,
    ONE_BASELINE,
    PART_HEADER,
    details,
    figure_rows,
    letters,
    mcnemar_caution,
    member_lines,
    method_note,
    overview_header,
    overview_rows,
    part_rows,
    remarks,
    summary_line,
    tables_of,
)

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Header and rows."""


@dataclass(frozen=True)
class ComparisonSection:
    """One result against the baseline, as the template shows it."""

    letter: str
    name: str
    anchor: str
    sentence: str
    figures: Table
    details: tuple[str, ...]
    picture: Picture
    tables: tuple[Table, ...]


def comparison_page(found: ResultComparisons) -> str:
    """HTML of the page; the same bytes for equal results."""
    several = len(found.comparisons) > 1
    overview = None
    if several:
        changes = ", ".join(
            f"{letter} {summary_line(each)}"
            for letter, each in zip(letters(found), found.comparisons, strict=True)
        )
        overview = svg_picture(
            overview_figure(found), f"Difference of each result to the baseline: {changes}"
        )
    return render(
        "training.report.page",
        "comparison.html",
        baseline=found.baseline.name,
        title=found.baseline.claim.title,
        sentences=[each.sentence for each in found.comparisons],
        members=[line.replace("\n", " ") for line in member_lines(found)],
        remarks=remarks(found),
        method=method_note(found),
        overview=overview,
        overview_table=(("result", *overview_header(found)), overview_rows(found)) if several else None,
        correction=ONE_BASELINE,
        caution=mcnemar_caution(found),
        sections=[
            _section(letter, each) for letter, each in zip(letters(found), found.comparisons, strict=True)
        ],
        exploratory=EXPLORATORY,
        provenance=[
            fact
            for letter, result in zip(
                (*letters(found), "B"),
                (*(each.result for each in found.comparisons), found.baseline),
                strict=True,
            )
            for fact in _provenance(letter, result)
        ],
    )


def _section(letter: str, found: ResultComparison) -> ComparisonSection:
    tables = [((title, *PART_HEADER), part_rows(figures)) for title, figures in tables_of(found)]
    return ComparisonSection(
        letter=letter,
        name=found.result.name,
        anchor=f"result-{letter.lower()}",
        sentence=found.sentence,
        figures=(("figure", *FIGURE_HEADER), figure_rows(found.figures.overall)),
        details=tuple(details(found)),
        picture=svg_picture(forest_figure(found), _alternative(found.figures.overall, found)),
        tables=tuple(tables),
    )


def _alternative(overall: tuple[ComparedFigure, ...], found: ResultComparison) -> str:
    return (
        f"Differences of {len(overall)} figures over all clips and of each part, with intervals: "
        f"{summary_line(found)}; the tables below have the numbers"
    )


def _provenance(letter: str, result: ComparedResult) -> list[tuple[str, str]]:
    return [
        (
            f"{letter}, {member.kind}",
            f"{member.name}; seed {member.seed}; store {member.store_digest}; {_hash_of(member)}",
        )
        for member in result.members
    ]


def _hash_of(member: Member) -> str:
    if member.predictions_sha256 is None:
        return "predictions.csv without a recorded hash"
    return f"SHA-256 of predictions.csv {member.predictions_sha256}"
