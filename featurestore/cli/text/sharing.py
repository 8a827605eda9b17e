"""Output of the commands that share stores, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from featurestore.cli.text.lines import escape, part_lines
from featurestore.sharing.listing import PublishedVersions
from featurestore.sharing.pack import PackReport
from featurestore.sharing.pull import PullReport
from featurestore.sharing.push import PushReport
from featurestore.sharing.unpack import UnpackReport
from schemas.messages.counts import format_count

_Report = PushReport | PullReport | PackReport | UnpackReport


def push_text(report: PushReport) -> RenderableType:
    """What was sent, what was already there, and how others get it."""
    saved = [
        f"{_megabytes(size)} {where}"
        for size, where in (
            (report.bytes_reused, "reused from earlier versions"),
            (report.bytes_there, "already there"),
        )
        if size
    ]
    sent = f"sent {_megabytes(report.bytes_sent)} {_rate(report.bytes_sent, report.seconds)}"
    several = f", {report.versions} versions in total" if report.versions > 1 else ""
    return Group(
        f"[bold]{escape(report.url)}[/]: version {report.version} is the latest{several}",
        f"  {', '.join([sent if report.bytes_sent else 'nothing to send', *saved])}",
        f"  {report.digest}",
        f"  others get it with: ser-features pull {escape(report.url)} STORE",
    )


def pull_text(report: PullReport) -> RenderableType:
    """What was fetched, what was kept, and the store that this is a part of."""
    return Group(*_transfer_lines("fetched", report.bytes_fetched, report))


def pack_text(report: PackReport) -> RenderableType:
    """The file, and how others unpack it."""
    return Group(
        f"[bold]{escape(report.file)}[/]: {format_count(report.objects, 'object')}, "
        f"{_megabytes(report.bytes)} {_rate(report.bytes, report.seconds)}",
        f"  {report.digest}",
        *part_lines(report.part_of),
        f"  others unpack it with: ser-features unpack {escape(report.file)} STORE",
    )


def unpack_text(report: UnpackReport) -> RenderableType:
    """What was written and what was kept."""
    return Group(*_transfer_lines("unpacked", report.bytes_written, report))


def published_text(published: PublishedVersions) -> RenderableType:
    """The versions at a place, the newest first."""
    table = Table("version", "clips", "size", "features", "views", "", box=None)
    for version in reversed(published.versions):
        table.add_row(
            version.id,
            f"{version.clips:,}",
            _megabytes(version.bytes),
            escape(", ".join(version.features)),
            escape(", ".join(version.views)),
            "[bold]latest[/]" if version.id == published.latest else "",
        )
    count = format_count(len(published.versions), "version")
    return Group(f"[bold]{escape(published.url)}[/]: {count}", table)


def report_json(report: _Report) -> dict[str, Any]:
    """A report as JSON values."""
    return {**asdict(report), "seconds": round(report.seconds, 3)}


def published_json(published: PublishedVersions) -> dict[str, Any]:
    """The versions as JSON values, the oldest first."""
    return {
        "url": published.url,
        "latest": published.latest,
        "versions": [version.model_dump(mode="json") for version in published.versions],
    }


def _transfer_lines(verb: str, size: int, report: PullReport | UnpackReport) -> list[str]:
    kept = f", kept {_megabytes(report.bytes_kept)}" if report.bytes_kept else ""
    moved = f"{verb} {_megabytes(size)} {_rate(size, report.seconds)}" if size else "nothing to do"
    return [
        f"[bold]{escape(report.store)}[/]: {format_count(report.objects, 'object')}; {moved}{kept}",
        f"  {report.digest}",
        *part_lines(report.part_of),
    ]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _rate(size: int, seconds: float) -> str:
    return f"in {seconds:.1f} s ({size / 1e6 / max(seconds, 1e-9):.1f} MB/s)"
