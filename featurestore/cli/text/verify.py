"""Output of ``ser-features verify``, as text and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType

from featurestore.cli.text.lines import escape, first_lines
from featurestore.verify import Verification
from schemas.messages.counts import format_count


def verification_text(result: Verification) -> RenderableType:
    """The findings, or that the store is intact."""
    checked = f"{format_count(result.objects, 'object')}, {result.bytes / 1e6:,.1f} MB ({_depth(result)})"
    if result.ok:
        verdict = f"[bold green]ok[/] {escape(result.store)}: {checked}"
        return Group(verdict, f"  {result.digest}", *_stranger_lines(result))
    lines = [
        f"{escape(f.name)}: {f.fault}: {escape(f.detail)}"
        + (f" ({format_count(len(f.clips), 'clip')})" if f.clips else "")
        for f in result.findings
    ]
    return Group(
        *first_lines(lines),
        *_stranger_lines(result),
        f"[bold red]damaged[/] {escape(result.store)}: {format_count(len(lines), 'finding')} in {checked}; "
        f"to repair it, run `ser-features build --check` with its corpora",
    )


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


def _stranger_lines(result: Verification) -> list[str]:
    """A line about files that are not part of the store, if there are any."""
    count = len(result.strangers)
    if not count:
        return []
    files = format_count(count, "file")
    names = escape(f"{result.strangers[0]}{', …' if count > 1 else ''}")
    origin = "left by a stopped build, in use by a running one, or your own"
    return [f"{files} not part of the store ({names}): {origin}"]


def _depth(result: Verification) -> str:
    if not result.full:
        return "quick: sizes, tables, metadata"
    return "full: every hash and every number" if result.decoded or not result.ok else "full: every hash"
