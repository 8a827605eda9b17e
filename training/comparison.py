"""Results of several models or protocols side by side, each with its protocol's title."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from training.bootstrap import Interval
from training.metrics import Scores
from training.tables import markdown_table, text_table
from training.wording import interval_cell, percent, warning, wrapped

COMPARISON_HEADER = ("protocol", "model", "UA", "95 %", "WA", "macro-F1", "clips", "speakers")

Form = Literal["text", "markdown"]


@dataclass(frozen=True)
class ComparisonRow:
    """One result: what was trained, under which protocol, and what it reached on emotions."""

    name: str
    """Of the model or recipe."""
    title: str
    """:attr:`training.splits.split.Split.title`, or that of a summary of folds."""
    ua: float
    ua_interval: Interval | None
    wa: float
    macro_f1: float
    clips: int
    speakers: int

    @classmethod
    def of(cls, name: str, title: str, scores: Scores) -> ComparisonRow:
        """Row of one test's or of all folds' pooled ``scores``."""
        return cls(
            name=name,
            title=title,
            ua=scores.ua,
            ua_interval=scores.intervals.ua if scores.intervals else None,
            wa=scores.wa,
            macro_f1=scores.macro_f1,
            clips=scores.support,
            speakers=scores.speakers,
        )


def compare_table(rows: Sequence[ComparisonRow], form: Form = "text") -> str:
    """Table of ``rows`` in their order, and a warning for every kind that tells nothing of a new speaker."""
    cells = [
        (
            row.title,
            row.name,
            percent(row.ua),
            interval_cell(row.ua_interval),
            percent(row.wa),
            percent(row.macro_f1),
            f"{row.clips:,}",
            str(row.speakers),
        )
        for row in rows
    ]
    cautions = _distinct(warning(row.title) for row in rows)
    if form == "markdown":
        return (
            "\n\n".join([markdown_table(COMPARISON_HEADER, cells), *(f"{caution}." for caution in cautions)])
            + "\n"
        )
    return "\n".join([text_table(COMPARISON_HEADER, cells), *map(wrapped, cautions)]) + "\n"


def _distinct(sentences: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(sentence for sentence in sentences if sentence))
