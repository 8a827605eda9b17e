"""Output of the commands that share stores, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import Any, Protocol

from rich.console import Group, RenderableType
from rich.table import Table

from featurestore.cli.text.lines import escape, part_lines
from featurestore.format.run_versions import RunFacts, RunVersions
from featurestore.sharing.listing import ListedRuns, PublishedVersions
from featurestore.sharing.pack import PackReport
from featurestore.sharing.pull import PullReport
from featurestore.sharing.push import PushReport
from featurestore.sharing.unpack import UnpackReport
from schemas.messages.counts import format_count


class Sent(Protocol):
    """What a report of a push counts."""

    @property
    def bytes_sent(self) -> int:
        """From this machine."""

    @property
    def bytes_reused(self) -> int:
        """Copied at the place."""

    @property
    def bytes_there(self) -> int:
        """Left by an earlier push."""

    @property
    def seconds(self) -> float:
        """Of the whole push."""


class Fetched(Protocol):
    """What a report of a pull counts."""

    @property
    def bytes_kept(self) -> int:
        """Already in the folder."""

    @property
    def seconds(self) -> float:
        """Of the whole pull."""


_Report = PushReport | PullReport | PackReport | UnpackReport


def push_text(report: PushReport) -> RenderableType:
    """What was sent, what was already there, and how others get it."""
    several = f", {report.versions} versions in total" if report.versions > 1 else ""
    return Group(
        f"[bold]{escape(report.url)}[/]: version {report.version} is the latest{several}",
        f"  {sent_line(report)}",
        f"  {report.digest}",
        f"  others get it with: ser-features pull {escape(report.url)} STORE",
    )


def sent_line(report: Sent) -> str:
    """What was sent, and what did not need to be."""
    saved = [
        f"{_megabytes(size)} {where}"
        for size, where in (
            (report.bytes_reused, "reused from earlier versions"),
            (report.bytes_there, "already there"),
        )
        if size
    ]
    sent = f"sent {_megabytes(report.bytes_sent)} {_rate(report.bytes_sent, report.seconds)}"
    return ", ".join([sent if report.bytes_sent else "nothing to send", *saved])


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


def runs_text(listed: ListedRuns) -> RenderableType:
    """The runs at a place, below the version of the store that each was trained on."""
    lines = [f"[bold]{escape(listed.url)}[/]: {format_count(len(listed.runs), 'run')}"]
    names = max(len(run.name) for run in listed.runs)
    models = max(len(_model(run.version.facts)) for run in listed.runs)
    for store, runs in groupby(listed.runs, key=lambda run: run.store_version):
        lines.append(f"  trained on version {store}" if store else "  trained on stores that are elsewhere")
        lines += [
            f"    {run.name:{names}}  {escape(_model(run.version.facts)):{models}}  "
            f"{_result(run.version.facts)}  {_megabytes(run.version.bytes)}"
            for run in runs
        ]
    return Group(*lines)


def run_versions_text(url: str, published: RunVersions) -> RenderableType:
    """What a run is, and its versions, the newest first."""
    facts = next(version.facts for version in published.versions if version.id == published.latest)
    table = Table("version", "created", "result", "size", "", box=None)
    for version in reversed(published.versions):
        table.add_row(
            version.id,
            escape(version.facts.created),
            _result(version.facts),
            _megabytes(version.bytes),
            "[bold]latest[/]" if version.id == published.latest else "",
        )
    return Group(
        f"[bold]{escape(url)}[/]: a {facts.kind}, {format_count(len(published.versions), 'version')}",
        f"  {escape(_model(facts))}: {_result(facts)}, {escape(facts.tested)}",
        f"  trained on {facts.store}",
        table,
    )


def runs_json(listed: ListedRuns) -> list[dict[str, Any]]:
    """The runs as JSON values, with ``store_version`` null if the store is elsewhere."""
    return [
        {
            "name": run.name,
            "url": run.url,
            "store_version": run.store_version,
            **run.version.model_dump(mode="json"),
        }
        for run in listed.runs
    ]


def run_versions_json(url: str, published: RunVersions) -> dict[str, Any]:
    """The versions of one run as JSON values, the oldest first."""
    return {
        "url": url,
        "latest": published.latest,
        "versions": [version.model_dump(mode="json") for version in published.versions],
    }


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


def fetched_line(verb: str, target: str, objects: int, size: int, report: Fetched) -> str:
    """What was fetched or unpacked, and what was already there."""
    kept = f", kept {_megabytes(report.bytes_kept)}" if report.bytes_kept else ""
    moved = f"{verb} {_megabytes(size)} {_rate(size, report.seconds)}" if size else "nothing to do"
    return f"[bold]{escape(target)}[/]: {format_count(objects, 'object')}; {moved}{kept}"


def _transfer_lines(verb: str, size: int, report: PullReport | UnpackReport) -> list[str]:
    return [
        fetched_line(verb, report.store, report.objects, size, report),
        f"  {report.digest}",
        *part_lines(report.part_of),
    ]


def _model(facts: RunFacts) -> str:
    return f"{facts.model}, a series" if facts.kind == "series" else facts.model


def _result(facts: RunFacts) -> str:
    """``UA 49.6 %`` or ``CCC 0.412``."""
    value = f"{100 * facts.value:.1f} %" if facts.headline == "UA" else f"{facts.value:.3f}"
    return f"{facts.headline} {value}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _rate(size: int, seconds: float) -> str:
    return f"in {seconds:.1f} s ({size / 1e6 / max(seconds, 1e-9):.1f} MB/s)"
