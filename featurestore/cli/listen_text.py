"""What was written for a clip, as a table for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from featurestore.listen.listen import ListenResult
from featurestore.listen.view_words import parameter_text

_UNITS = {"noise": "dB", "pitch": "semitones", "shift": "samples", "speed": "factor", "stretch": "factor"}


def heard_text(heard: ListenResult) -> str:
    """The clip, a row for each view, and what no file holds."""
    subject, waves = heard.subject, heard.waveforms
    rows = (
        (
            f"{each.index} {each.view.name}",
            each.view.kind,
            parameter_text(each.view.kind, each.view.parameter, heard.sample_rate),
            f"{each.seconds:.3f}",
            each.file.path.name,
        )
        for each in heard.views
    )
    lines = [
        f"{subject.clip_id} from {subject.recording}, {heard.sample_rate} Hz",
        "",
        *_aligned([("view", "kind", "parameter", "seconds", "file"), *rows]),
        "",
        f"files in {heard.views[0].file.path.parent}",
    ]
    removed = (
        f"trimmed: {waves.trimmed_start_s:.3f} s at the start, {waves.trimmed_end_s:.3f} s at the end; "
        f"behind the fixed length: {waves.cut_s:.3f} s"
    )
    lines.append(removed)
    loud = [each for each in heard.views if each.file.is_float]
    if loud:
        names = ", ".join(f"{each.view.name} (peak {each.file.peak:.2f})" for each in loud)
        lines.append(f"beyond full scale, so written as 32-bit float rather than clipped: {names}")
    return "\n".join(lines)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def heard_json(heard: ListenResult) -> dict[str, Any]:
    """The same as JSON values."""
    waves = heard.waveforms
    return {
        "clip_id": heard.subject.clip_id,
        "recording": str(heard.subject.recording),
        "sample_rate": heard.sample_rate,
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
            for each in heard.views
        ],
    }
