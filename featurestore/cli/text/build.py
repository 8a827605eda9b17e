"""Output of ``ser-features build``, as text and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType

from featurestore.build import BuildReport
from featurestore.cli.text.lines import escape, first_lines, ignored_lines, licence_lines, summary_line
from schemas.clip import Remark, Scan
from schemas.messages.counts import format_count


def build_text(report: BuildReport) -> RenderableType:
    """The corpora, the unusable recordings, and what was built."""
    return Group(
        *_corpora_lines(report),
        *_remark_lines(f"{format_count(len(report.noted), 'usable recording')} with notes:", report.noted),
        *_remark_lines(
            f"[red]{format_count(len(report.bad), 'unusable recording')}[/], listed in the manifest, "
            f"excluded from training:",
            report.bad,
        ),
        *(
            f"[yellow]{format_count(count, 'recording')} read by soundfile instead[/]: {escape(reason)}"
            for reason, count in report.fallbacks.items()
        ),
        *licence_lines(report.document.spec),
        *(
            f"[yellow]{format_count(count, 'usable clip')} without values of {escape(name)}[/], which was "
            f"imported: a build cannot compute it; import a file that has them with ser-features import"
            for name, count in report.lacking.items()
        ),
        f"[bold]{escape(report.store)}[/]: {summary_line(report.document)}",
        f"  {_work(report)}",
        f"  {report.document.digest}",
    )


def build_json(report: BuildReport) -> dict[str, Any]:
    """The report as JSON values."""
    return {
        "store": report.store,
        "digest": report.document.digest,
        "datasets": {name: entry.model_dump() for name, entry in report.document.datasets.items()},
        "views": list(report.document.spec.view_names),
        "units_built": report.units_built,
        "units_kept": report.units_kept,
        "clips_built": report.clips_built,
        "seconds": round(report.seconds, 3),
        "stages": {stage: round(seconds, 3) for stage, seconds in report.stages.items()},
        **({"lacking": dict(report.lacking)} if report.lacking else {}),
        "fallbacks": dict(report.fallbacks),
        "bad": _json_remarks(report.bad),
        "noted": _json_remarks(report.noted),
        "ignored": {
            scan.dataset: [{"path": i.path, "reason": i.reason} for i in scan.ignored]
            for scan in report.scans
        },
        "missing": {corpus.name: corpus.how_to_get for corpus in report.located.missing},
        "unrecognised": list(report.located.unrecognised),
    }


def _corpora_lines(report: BuildReport) -> list[str]:
    lines = []
    paths = {corpus.name: path for corpus, path in report.located.found}
    for scan in report.scans:
        lines.append(f"{scan.dataset:10} {_clips_and_speakers(scan)} in {escape(str(paths[scan.dataset]))}")
        lines += [f"{'':10} [yellow]{escape(notice)}[/]" for notice in scan.notices]
        lines += ignored_lines(scan)
    lines += [f"{c.name:10} [dim]not found: {escape(c.how_to_get)}[/]" for c in report.located.missing]
    lines += [
        f"[yellow]{escape(name)}: this folder is not a known corpus; if it contains one folder per emotion, "
        f"add it with --datasets NAME={escape(name)}[/]"
        for name in report.located.unrecognised
    ]
    lines += [f"[dim]{escape(name)}: found, but not included in 'all'[/]" for name in report.located.left_out]
    return lines


def _clips_and_speakers(scan: Scan) -> str:
    speakers = len({clip.speaker for clip in scan.clips})
    return f"{format_count(len(scan.clips), 'clip')}, {format_count(speakers, 'speaker')}"


def _work(report: BuildReport) -> str:
    kept = f", kept {format_count(report.units_kept, 'finished unit')}" if report.units_kept else ""
    if not report.units_built:
        return f"nothing to do{kept}"
    rate = report.clips_built / report.seconds
    clips = format_count(report.clips_built, "clip")
    return f"built {clips} in {report.seconds:.1f} s ({rate:.1f} clips/s){kept}"


def _remark_lines(heading: str, remarks: tuple[Remark, ...]) -> list[str]:
    if not remarks:
        return []
    lines = [f"{escape(r.clip_id)} ({escape(r.path)}): {escape(r.problem)}" for r in remarks]
    return [heading, *(f"  {line}" for line in first_lines(lines))]


def _json_remarks(remarks: tuple[Remark, ...]) -> list[dict[str, str]]:
    return [{"clip_id": r.clip_id, "path": r.path, "problem": r.problem} for r in remarks]
