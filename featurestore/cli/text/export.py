"""Output of ``ser-features export``, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from featurestore.cli.text.lines import escape
from featurestore.export.export import ExportReport
from schemas.messages.counts import format_count


def export_text(report: ExportReport) -> str:
    """What was written, and what was left out."""
    what = f"{format_count(report.clips, 'clip')} × {format_count(len(report.views), 'view')}"
    held = f"{report.columns:,} values each" if report.columns else ", ".join(report.features)
    left_out = f"; {format_count(report.left_out, 'bad clip')} left out" if report.left_out else ""
    return f"[bold]{escape(report.path)}[/]: {what}, {held}{left_out}"


def export_json(report: ExportReport) -> dict[str, Any]:
    """The report as JSON values."""
    return asdict(report)
