"""The split and its audit as tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence

from training.audits.audit import Check, Verdict
from training.report.result import FITTED, RunResult
from training.splits.side import SIDES

SIDES_HEADER = ("clips", "speakers", "views", "samples")

CHECKS_HEADER = ("answer", "findings")

_ANSWERS: dict[Verdict, str] = {
    "clean": "yes",
    "leak": "no: a leak",
    "admitted": "no, but the protocol allows it",
    "reported": "see below",
}

_SHOWN = 3


def side_rows(result: RunResult) -> list[tuple[str, ...]]:
    """Cells for the name of a side and :data:`SIDES_HEADER`."""
    drawn = result.split is not None and result.split.views is not None
    trained = result.record.recipe.train.views or (0,)
    views = "random" if drawn else "1, the original"
    rows: list[tuple[str, ...]] = []
    for side in SIDES:
        size = result.sides[side]
        read = f"{len(trained)}" if side == "train" and not drawn and trained != (0,) else views
        rows.append((side, f"{size.clips:,}", f"{size.speakers:,}", read, f"{size.samples:,}"))
    if (fitted := result.fitted) is not None:
        views = "1, the original" if trained == (0,) else f"up to {len(trained)}"
        cells = (f"{fitted.clips:,}", f"{fitted.speakers:,}", views, f"{fitted.samples:,}")
        rows.append((FITTED, *cells))
    return rows


def check_rows(checks: Sequence[Check]) -> list[tuple[str, ...]]:
    """Cells for a question and :data:`CHECKS_HEADER`."""
    return [(check.question, _answer(check), f"{check.count:,}") for check in checks]


def finding_sentences(checks: Sequence[Check]) -> list[tuple[str, str]]:
    """Name and first findings of each check with findings."""
    sentences = []
    for check in checks:
        if check.count:
            first = "; ".join(check.offenders[:_SHOWN])
            more = check.count - min(_SHOWN, len(check.offenders))
            sentences.append((check.name, first + (f"; and {more:,} more" if more else "")))
    return sentences


def _answer(check: Check) -> str:
    return "none" if check.verdict == "reported" and not check.count else _ANSWERS[check.verdict]
