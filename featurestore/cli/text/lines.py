"""Pieces of text that several commands print."""

from __future__ import annotations

from rich.markup import escape as escape_markup

from featurestore.format.documents import StoreDocument
from schemas.clip import Scan
from schemas.messages.counts import format_count
from schemas.messages.printable import escape_line
from schemas.opensmile import LICENCE
from schemas.spec import StoreSpec

LISTED = 20
"""Lines of a long list that are printed; ``--json`` has all."""


def escape(text: str) -> str:
    """A name for one line of the terminal: without markup, line ends and control characters."""
    return escape_markup(escape_line(text))


def first_lines(lines: list[str], count: int | None = None) -> list[str]:
    """The first :data:`LISTED` of ``count`` lines (default: all given), and how many are left out."""
    left = (count or len(lines)) - len(lines[:LISTED])
    return [*lines[:LISTED], *([f"… and {left:,} more; --json lists all"] if left > 0 else [])]


def ignored_lines(scan: Scan) -> list[str]:
    """The files of a corpus that are not clips."""
    lines = [f"ignored: {escape(entry.path)}: {escape(entry.reason)}" for entry in scan.ignored]
    return [f"{'':10} {line}" for line in first_lines(lines)]


def summary_line(document: StoreDocument) -> str:
    """Clips, views, features and size of a store."""
    spec = document.spec
    clips = sum(entry.clips for entry in document.datasets.values())
    unusable = sum(entry.bad for entry in document.datasets.values())
    size = sum(entry.bytes for entry in document.objects.values())
    features = ", ".join(feature.name for feature in spec.features)
    marked = f" ({unusable} unusable)" if unusable else ""
    views = format_count(len(spec.view_names), "view")
    return f"{format_count(clips, 'clip')}{marked} × {views}; {features}; {size / 1e6:,.1f} MB"


def part_lines(part_of: str | None) -> list[str]:
    """The line that names the store that this one is a part of; none for a whole store."""
    return [f"  part of {part_of}"] if part_of else []


def licence_lines(spec: StoreSpec) -> list[str]:
    """The licence of what computed features of openSMILE; nothing for other features."""
    names = [feature.name for feature in spec.opensmile]
    return [f"[yellow]{' and '.join(names)}[/]: {LICENCE}"] if names else []
