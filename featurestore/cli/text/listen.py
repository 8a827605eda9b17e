"""Output of ``ser-features listen``, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from featurestore.listen.listen import ListenResult
from featurestore.listen.view_words import parameter_text

_UNITS = {"noise": "dB", "pitch": "semitones", "shift": "samples", "speed": "factor", "stretch": "factor"}


def listen_text(result: ListenResult) -> str:
    """The clip, one row per view, and the parts of the recording that no file contains."""
    subject, waves = result.subject, result.waveforms
    rows = (
        (
            f"{each.index} {each.view.name}",
            each.view.kind,
            parameter_text(each.view.kind, each.view.parameter, result.sample_rate),
            f"{each.seconds:.3f}",
            each.file.path.name,
        )
        for each in result.views
    )
    lines = [
        f"{subject.clip_id} from {subject.recording}, {result.sample_rate} Hz",
        "",
        *_align([("view", "kind", "parameter", "seconds", "file"), *rows]),
        "",
        f"files in {result.views[0].file.path.parent}",
    ]
    removed = (
        f"trimmed: {waves.trimmed_start_s:.3f} s at the start, {waves.trimmed_end_s:.3f} s at the end; "
        f"cut after the fixed length: {waves.cut_s:.3f} s"
    )
    lines.append(removed)
    loud = [each for each in result.views if each.file.is_float]
    if loud:
        names = ", ".join(f"{each.view.name} (peak {each.file.peak:.2f})" for each in loud)
        lines.append(f"exceed full scale, written as 32-bit float to avoid clipping: {names}")
    return "\n".join(lines)


def _align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def listen_json(result: ListenResult) -> dict[str, Any]:
    """The result as JSON values."""
    waves = result.waveforms
    return {
        "clip_id": result.subject.clip_id,
        "recording": str(result.subject.recording),
        "sample_rate": result.sample_rate,
        "trimmed_start_s": waves.trimmed_start_s,
        "trimmed_end_s": waves.trimmed_end_s,
        "cut_s": waves.cut_s,
        "views": [
            {
                "view": each.index,
                "name": each.view.name,
                "kind": each.view.kind,
                "parameter": each.view.parameter,
                "unit": _UNITS.get(each.view.kind),
                "seconds": each.seconds,
                "peak": each.file.peak,
                "format": "float32" if each.file.is_float else "pcm16",
                "file": str(each.file.path),
            }
            for each in result.views
        ],
    }
