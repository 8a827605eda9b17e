"""Results of several models or protocols as a Markdown table, each with the title of its protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.metrics.bootstrap import Interval
from training.report.tables import markdown_table
from training.report.wording import interval_cell, percent, warning
from training.splits.claim import Claim

HEADER = ("protocol", "model", "UA", "95 %", "WA", "macro-F1", "clips", "speakers")


@dataclass(frozen=True)
class ComparisonRow:
    """One result: what was trained, under which protocol, and its emotion scores."""

    name: str
    """Name of the model or recipe."""
    claim: Claim
    ua: float
    ua_interval: Interval | None
    wa: float
    macro_f1: float
    clips: int
    speakers: int


def comparison_table(rows: Sequence[ComparisonRow]) -> str:
    """Table of ``rows`` in their order, then each distinct warning about their protocols."""
    cells = [
        (
            row.claim.title,
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
    warnings = dict.fromkeys(found for found in (warning(row.claim) for row in rows) if found)
    return "\n\n".join([markdown_table(HEADER, cells), *(f"{sentence}." for sentence in warnings)]) + "\n"
