"""What the commands of ``ser-features`` print, as text for people and as JSON for machines."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from data.catalogue import CatalogueEntry
from featurestore.build import BuildReport
from featurestore.format.documents import StoreDocument
from schemas.clip import Remark, Scan
from schemas.spec import StoreSpec

if TYPE_CHECKING:  # pandas and zarr cost a build that has nothing to do a third of its time
    from featurestore.store import FeatureStore
    from featurestore.verify import Verification

LISTED = 20
"""Lines of a long list that are printed; ``--json`` has all."""


def build_text(report: BuildReport) -> RenderableType:
    """What was found, what was built, what is bad."""
    lines = []
    paths = {corpus.name: path for corpus, path in report.located.found}
    for scan in report.scans:
        lines.append(f"{scan.dataset:10} {_clips_and_speakers(scan)} in {escape(str(paths[scan.dataset]))}")
        lines += [f"{'':10} [yellow]{escape(notice)}[/]" for notice in scan.notices]
        lines += _ignored_lines(scan)
    lines += [f"{c.name:10} [dim]not there: {escape(c.how_to_get)}[/]" for c in report.located.missing]
    lines += [
        f"[yellow]{escape(name)}: a folder that belongs to no known corpus; if it has one folder an emotion, "
        f"add it as --datasets NAME={escape(name)}[/]"
        for name in report.located.unrecognised
    ]
    lines += [f"[dim]{escape(name)}: there, but not part of 'all'[/]" for name in report.located.left_out]
    lines += _remark_lines(f"{len(report.noted)} recordings with a note, all the same usable:", report.noted)
    bad = f"[red]{len(report.bad)} bad recordings[/], in the manifest with their problem, in no training:"
    lines += _remark_lines(bad, report.bad)
    lines += [
        f"[yellow]{count:,} of the recordings read by soundfile instead[/]: {escape(reason)}"
        for reason, count in report.fallbacks.items()
    ]
    if report.units_built:
        rate = report.clips_built / report.seconds
        work = f"built {report.clips_built:,} clips in {report.seconds:.1f} s ({rate:.1f} clips/s)"
    else:
        work = "nothing to do"
    kept = f", kept {_counted(report.units_kept, 'finished unit')}" if report.units_kept else ""
    lines += [f"[bold]{escape(report.store)}[/]: {_holdings(report.document)}", f"  {work}{kept}"]
    lines.append(f"  {report.document.digest}")
    return Group(*lines)


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


def datasets_text(entries: tuple[CatalogueEntry, ...]) -> RenderableType:
    """The known corpora: what is there, and how to get the rest."""
    lines: list[str] = []
    for entry in entries:
        corpus, scan = entry.corpus, entry.scan
        expected = f" of {corpus.expected_clips:,}" if corpus.expected_clips else ""
        if scan is None:
            found = "[dim]not there[/]" + (
                f" ({corpus.expected_clips:,} clips)" if corpus.expected_clips else ""
            )
        else:
            speakers = len({clip.speaker for clip in scan.clips})
            people = f"{speakers} speaker{'' if speakers == 1 else 's'}"
            found = f"{len(scan.clips):,}{expected} clips, {people} in {escape(str(entry.path))}"
        lines += [
            f"[bold]{corpus.name:10}[/] {found}",
            f"{'':10} {escape(' · '.join(filter(None, (corpus.licence, corpus.home_page))))}",
        ]
        if scan is None:
            lines.append(f"{'':10} [dim]{escape(corpus.how_to_get)}[/]")
        else:
            lines += [f"{'':10} [yellow]{escape(notice)}[/]" for notice in scan.notices]
            lines += _ignored_lines(scan)
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


def info_text(store: FeatureStore) -> RenderableType:
    """What a store holds."""
    document, spec, manifest = store.document, store.spec, store.manifest
    table = Table("corpus", "clips", "bad", "speakers", "emotions", "hours", "licence", box=None)
    for name, entry in document.datasets.items():
        part = manifest[manifest["dataset"] == name]
        table.add_row(
            name,
            f"{entry.clips:,}",
            str(entry.bad),
            str(part["speaker"].nunique()),
            str(part["emotion"].nunique()),
            f"{part['duration_s'].sum() / 3600:.2f}",
            escape(entry.licence),
        )
    sizes: Counter[str] = Counter()
    for name, stored in document.objects.items():
        parts = name.split("/")
        sizes[parts[1] if len(parts) == 7 else "tables and metadata"] += stored.bytes
    audio = spec.audio
    trim = f"trimmed at {audio.trim_db:g} dB" if audio.trim_db else "not trimmed"
    normalised = ", peak-normalised" if audio.normalise == "peak" else ""
    return Group(
        f"[bold]{escape(str(store.place))}[/]: {_holdings(document)}",
        f"  {document.digest}",
        *([f"  part of {document.part_of}"] if document.part_of else []),
        "",
        table,
        "",
        f"audio     {audio.sample_rate} Hz, {spec.length / audio.sample_rate:.4g} s, {trim}{normalised}; "
        f"n_fft {spec.spectral.n_fft}, hop {spec.spectral.hop_length}, {spec.frames} frames",
        *(f"feature   {name} × {n}: {sizes[name] / 1e6:,.1f} MB" for name, n in spec.coefficients.items()),
        f"tables    {sizes['tables and metadata'] / 1e6:,.1f} MB",
        f"views     {', '.join(f'{i} {name}' for i, name in enumerate(spec.view_names))}",
        f"storage   {spec.storage.dtype}, {spec.storage.codec}; seed {spec.seed}",
        f"built by  {', '.join(f'{name} {number}' for name, number in document.libraries.items())}",
    )


def info_json(store: FeatureStore) -> dict[str, Any]:
    """``store.json`` but for its list of objects, with their number and size."""
    document = store.document
    return {
        **document.model_dump(mode="json", exclude={"objects"}),
        "objects": len(document.objects),
        "bytes": sum(entry.bytes for entry in document.objects.values()),
    }


def verification_text(result: Verification) -> RenderableType:
    """The findings, or that there are none."""
    what = f"{result.objects:,} objects, {result.bytes / 1e6:,.1f} MB ({_depth(result)})"
    strange = [
        f"{len(result.strangers)} files are not part of the store, as {escape(result.strangers[0])}: of a "
        f"build that was stopped or goes on, or somebody's own"
        for _ in result.strangers[:1]
    ]
    if result.ok:
        verdict = f"[bold green]ok[/] {escape(result.store)}: {what}"
        return Group(verdict, f"  {result.digest}", *strange)
    lines = [
        f"{escape(f.name)}: {f.fault}: {escape(f.detail)}" + (f" ({len(f.clips)} clips)" if f.clips else "")
        for f in result.findings
    ]
    return Group(
        *lines[:LISTED],
        *([f"… and {len(lines) - LISTED} more; --json lists all"] if len(lines) > LISTED else []),
        *strange,
        f"[bold red]damaged[/] {escape(result.store)}: {len(lines)} findings in {what}; "
        f"run `ser-features build --check` with its corpora to repair",
    )


def _depth(result: Verification) -> str:
    if not result.full:
        return "quick: sizes, tables, metadata"
    return "full: every hash and every number" if result.decoded or not result.ok else "full: every hash"


def verification_json(result: Verification) -> dict[str, Any]:
    """The verification as JSON values."""
    return {
        "store": result.store,
        "ok": result.ok,
        "digest": result.digest,
        "full": result.full,
        "decoded": result.decoded,
        "objects": result.objects,
        "bytes": result.bytes,
        "findings": [
            {"object": f.name, "fault": str(f.fault), "detail": f.detail, "clips": list(f.clips)}
            for f in result.findings
        ],
        "strangers": list(result.strangers),
    }


def _holdings(document: StoreDocument) -> str:
    spec: StoreSpec = document.spec
    clips = sum(entry.clips for entry in document.datasets.values())
    bad = sum(entry.bad for entry in document.datasets.values())
    size = sum(entry.bytes for entry in document.objects.values())
    features = ", ".join(feature.kind for feature in spec.features)
    marked = f" ({bad} bad)" if bad else ""
    views = _counted(len(spec.view_names), "view")
    return f"{clips:,} clips{marked} × {views}; {features}; {size / 1e6:,.1f} MB"


def _counted(count: int, what: str) -> str:
    """``1 view``, ``7 views``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _clips_and_speakers(scan: Scan) -> str:
    return f"{len(scan.clips):,} clips, {len({clip.speaker for clip in scan.clips})} speakers"


def _ignored_lines(scan: Scan) -> list[str]:
    if not scan.ignored:
        return []
    lines = [f"{'':10} not taken: {escape(i.path)}: {escape(i.reason)}" for i in scan.ignored[:LISTED]]
    if len(scan.ignored) > LISTED:
        lines.append(f"{'':10} … and {len(scan.ignored) - LISTED} more files not taken; --json lists all")
    return lines


def _remark_lines(heading: str, remarks: tuple[Remark, ...]) -> list[str]:
    if not remarks:
        return []
    lines = [heading]
    lines += [f"  {escape(r.clip_id)} ({escape(r.path)}): {escape(r.problem)}" for r in remarks[:LISTED]]
    if len(remarks) > LISTED:
        lines.append(f"  … and {len(remarks) - LISTED} more; --json lists all")
    return lines


def _json_remarks(remarks: tuple[Remark, ...]) -> list[dict[str, str]]:
    return [{"clip_id": r.clip_id, "path": r.path, "problem": r.problem} for r in remarks]
