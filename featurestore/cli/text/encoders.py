"""Output of ``ser-features encoders``, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType

from featurestore.cli.text.lines import escape
from pipelines.encoders.catalogue import ListedEncoder


def encoders_text(listed: Sequence[ListedEncoder]) -> RenderableType:
    """The encoders, and where their weights are."""
    lines = []
    for entry in listed:
        lines.append(f"[bold]{entry.name:22}[/] {escape(_facts(entry))}")
        if entry.weights is not None:
            cost = "" if entry.clip_ms is None else f" · {entry.clip_ms:,.0f} ms for a clip of 2 s"
            lines.append(f"{'':22} {escape(str(entry.weights.folder))}{cost}")
            lines.append(f"{'':22} [dim]SHA-256 {entry.weights.sha256}[/]")
        elif entry.problem:
            lines.append(f"{'':22} [yellow]{escape(entry.problem)}[/]")
        elif entry.known is not None:
            lines.append(f"{'':22} [dim]not on this machine: ser-features encoder get {entry.name}[/]")
    return Group(*lines)


def _facts(entry: ListedEncoder) -> str:
    source = entry.weights.architecture if entry.weights else entry.known
    if source is None:
        return "no weights"
    if entry.weights is not None:
        size = f"{entry.weights.bytes / 1e6:,.0f} MB"
    else:
        size = f"{entry.known.parameters:,} million parameters" if entry.known else ""
    licence = entry.known.licence if entry.known else ""
    parts = (source.family, f"layers 0 to {source.blocks}", f"{source.width} values", size, licence)
    return " · ".join(part for part in parts if part)


def encoders_json(listed: Sequence[ListedEncoder]) -> list[dict[str, Any]]:
    """The encoders as JSON values."""
    return [_json(entry) for entry in listed]


def _json(entry: ListedEncoder) -> dict[str, Any]:
    known, weights = entry.known, entry.weights
    source = weights.architecture if weights else known
    return {
        "name": entry.name,
        "hub_id": known.hub_id if known else None,
        "licence": known.licence if known else None,
        "family": source.family if source else None,
        "layers": source.blocks if source else None,
        "width": source.width if source else None,
        "folder": str(weights.folder) if weights else None,
        "bytes": weights.bytes if weights else None,
        "sha256": weights.sha256 if weights else None,
        "clip_ms": entry.clip_ms,
        "problem": entry.problem or None,
    }
