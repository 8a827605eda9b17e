"""Output of ``ser-features import``, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType

from featurestore.cli.text.lines import escape, first_lines, summary_line
from featurestore.imports.run import ImportReport
from schemas.imported import ImportedSpec
from schemas.messages.counts import choose_form, format_count


def import_text(report: ImportReport) -> RenderableType:
    """The feature, the clips without values, and what was written."""
    total = report.clips + len(report.missing) + len(report.unusable)
    written = format_count(report.units_written, "unit")
    work = f"wrote {written}" if report.units_written else "nothing to do: the store has these numbers"
    return Group(
        f"[bold]{escape(report.feature.name)}[/]: {imported_text(report.feature)}",
        f"  {report.clips:,} of {format_count(total, 'usable clip')} with values",
        *_listed(report.missing, "without an entry in the source; training leaves them out"),
        *_listed(report.unusable, "whose values are not all finite numbers; training leaves them out"),
        *_listed(report.unmatched, "of the source that no clip is called", "entry", "entries"),
        f"[bold]{escape(report.store)}[/]: {summary_line(report.document)}",
        f"  {work}",
        f"  {report.document.digest}",
    )


def imported_text(feature: ImportedSpec) -> str:
    """Shape, source and provenance of an imported feature, as markup."""
    names = ("values", "frames × values", "layers × frames × values")[len(feature.shape or (0,)) - 1]
    shape = " × ".join(f"{size:,}" for size in feature.shape or ())
    return (
        f"{shape} {names}, imported: {escape(feature.provenance or '')}, SHA-256 {str(feature.sha256)[:12]}"
    )


def import_json(report: ImportReport) -> dict[str, Any]:
    """The report as JSON values."""
    return {
        "store": report.store,
        "digest": report.document.digest,
        "feature": report.feature.model_dump(mode="json"),
        "clips": report.clips,
        "missing": list(report.missing),
        "unusable": list(report.unusable),
        "unmatched": list(report.unmatched),
        "units_written": report.units_written,
        "units_kept": report.units_kept,
    }


def _listed(names: Sequence[str], what: str, one: str = "clip", several: str = "clips") -> list[str]:
    if not names:
        return []
    heading = f"  [yellow]{len(names):,} {choose_form(len(names), one, several)}[/] {what}:"
    return [heading, *(f"    {line}" for line in first_lines([escape(name) for name in names]))]
