"""Output of the commands that share runs, as text and as JSON."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType

from featurestore.cli.text.lines import escape
from featurestore.cli.text.sharing import fetched_line, sent_line
from training.sharing.pull_run import RunPullReport
from training.sharing.push_run import RunPushReport


def run_push_text(report: RunPushReport) -> RenderableType:
    """What was sent, the store that the run belongs to, and how others use the run."""
    several = f", {report.versions} versions in total" if report.versions > 1 else ""
    store = (
        f"version {report.store_version} of the store there"
        if report.store_version
        else f"a store that is not published there ({report.store})"
    )
    return Group(
        f"[bold]{escape(report.url)}[/]: version {report.version} is the latest{several}",
        f"  {sent_line(report)}",
        f"  {report.digest}",
        f"  trained on {store}",
        f"  others predict with: ser-predict {escape(shlex.quote(report.url))} CLIP",
    )


def run_pull_text(report: RunPullReport) -> RenderableType:
    """What was fetched and what was kept."""
    return Group(
        fetched_line("fetched", report.run, report.objects, report.bytes_fetched, report),
        f"  {report.digest}",
        f"  trained on {report.store}",
    )


def run_report_json(report: RunPushReport | RunPullReport) -> dict[str, Any]:
    """A report as JSON values."""
    return {**asdict(report), "seconds": round(report.seconds, 3)}
