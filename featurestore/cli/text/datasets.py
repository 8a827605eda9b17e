"""Output of ``ser-features datasets``, as text and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType

from data.catalogue import CatalogueEntry
from featurestore.cli.text.lines import escape, ignored_lines
from schemas.messages.counts import format_count


def datasets_text(entries: tuple[CatalogueEntry, ...], hidden: int = 0) -> RenderableType:
    """Known corpora, those that were found first, and how to get the others; ``hidden``: how many more."""
    lines: list[str] = []
    for entry in sorted(entries, key=lambda entry: entry.scan is None):
        corpus = entry.corpus
        lines += [
            f"[bold]{corpus.name:10}[/] {_found(entry)}",
            f"{'':10} {escape(' · '.join(filter(None, (corpus.licence, corpus.home_page))))}",
        ]
        if entry.scan is None:
            lines.append(f"{'':10} [dim]{escape(corpus.how_to_get)}[/]")
        else:
            lines += [f"{'':10} [yellow]{escape(notice)}[/]" for notice in entry.scan.notices]
            lines += ignored_lines(entry.scan)
    if hidden:
        lines.append(f"[dim]and {hidden} rarer corpora: ser-features datasets --all[/]")
    return Group(*lines)


def datasets_json(entries: tuple[CatalogueEntry, ...]) -> list[dict[str, Any]]:
    """The known corpora as JSON values."""
    return [
        {
            "name": entry.corpus.name,
            "title": entry.corpus.title,
            "licence": entry.corpus.licence,
            "home_page": entry.corpus.home_page,
            "how_to_get": entry.corpus.how_to_get,
            "expected_clips": entry.corpus.expected_clips,
            "path": str(entry.path) if entry.path else None,
            "clips": len(entry.scan.clips) if entry.scan else None,
            "speakers": len({clip.speaker for clip in entry.scan.clips}) if entry.scan else None,
            "ignored": [{"path": i.path, "reason": i.reason} for i in entry.scan.ignored]
            if entry.scan
            else [],
            "notices": list(entry.scan.notices) if entry.scan else [],
        }
        for entry in entries
    ]


def _found(entry: CatalogueEntry) -> str:
    expected = entry.corpus.expected_clips
    if entry.scan is None:
        return "[dim]not found[/]" + (f" ({expected:,} clips)" if expected else "")
    clips = len(entry.scan.clips)
    speakers = format_count(len({clip.speaker for clip in entry.scan.clips}), "speaker")
    count = f"{clips:,} of {expected:,} clips" if expected else format_count(clips, "clip")
    return f"{count}, {speakers} in {escape(str(entry.path))}"
