"""Output of ``ser-evaluate --verify`` as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.cli.text.lines import first_lines
from schemas.messages.counts import format_count

if TYPE_CHECKING:
    from training.verify import RunVerification


def verification_lines(result: RunVerification) -> list[str]:
    """The findings, or that every file of a run or series is as it was written."""
    checked = f"{format_count(result.files, 'file')}, {result.bytes / 1e6:,.1f} MB"
    strangers = []
    if result.strangers:
        first = f"{result.strangers[0].relative_to(result.path)}{', …' if len(result.strangers) > 1 else ''}"
        strangers = [f"{format_count(len(result.strangers), 'file')} not part of the run ({first})"]
    if result.ok:
        return [f"ok {result.path}: {checked}", *strangers]
    lines = first_lines([f"{found.file} {found.detail}" for found in result.findings])
    verdict = f"damaged {result.path}: {format_count(len(result.findings), 'file')} of {checked}"
    return [*lines, *strangers, f"{verdict}; restore it from a copy, or train again"]
