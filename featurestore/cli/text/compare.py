"""Output of ``ser-features compare``, as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table

from featurestore.cli.text.lines import LISTED, escape, first_lines
from featurestore.compare import Comparison
from featurestore.differences.tables import ColumnDifference, FieldDifference, OnlyIn
from featurestore.differences.values import Numbers
from schemas.messages.counts import format_count


def comparison_text(result: Comparison, a: str, b: str) -> RenderableType:
    """The differences between the stores ``a`` and ``b``, and a verdict in the last line."""
    parts: list[RenderableType] = [f"[bold]A[/] {escape(a)}", f"[bold]B[/] {escape(b)}"]
    parts += _list_lines("specification, A | B:", _field_lines(result.spec))
    for what, only in (
        ("features", result.features_only),
        ("views", result.views_only),
        ("corpora", result.corpora_only),
    ):
        for side, names in (("A", only.a), ("B", only.b)):
            if names:
                parts.append(f"{what} only in {side}: {escape(', '.join(names))}")
    parts += _list_lines("corpora, A | B:", _field_lines(result.corpora))
    for side, names in (("A", result.clips_only.a), ("B", result.clips_only.b)):
        parts += _list_lines(f"{format_count(len(names), 'clip')} only in {side}:", list(names))
    parts += _columns_text(result.columns) + _columns_text(result.drawn)
    if result.numbers:
        parts += _numbers_text(result.numbers)
    if not result.same:
        parts += _list_lines("built by, A | B:", _field_lines(result.libraries))
    colour = "green" if result.same else "yellow"
    return Group(*parts, f"[bold {colour}]{escape(verdict(result))}[/]")


def verdict(result: Comparison) -> str:
    """One line: what is the same, and how much the rest differs."""
    numbers = result.numbers
    if result.identical:
        return "identical: equal digests" if numbers else "equal digests; the values were not read"
    if result.same and numbers:
        return "the same numbers, specification and clips; only the way of storing them differs"
    if result.same:
        return "the same specification, clips and views; the values were not compared"
    differs = {
        "specification": result.spec or result.features_only or result.views_only,
        "clips": result.corpora_only or result.clips_only,
        "descriptions of corpora and clips": result.corpora or result.columns,
        "drawn parameters": result.drawn,
    }
    other = [what for what, difference in differs.items() if difference]
    parts = [f"different: {', '.join(other)}"] if other else ["the same specification and clips"]
    return "; ".join([*parts, _numbers_verdict(numbers)])


def comparison_json(result: Comparison) -> dict[str, Any]:
    """The comparison as JSON values; NaN, infinite errors and absent values are null."""
    numbers = result.numbers
    return {
        "same": result.same,
        "identical": result.identical,
        "verdict": verdict(result),
        "digests": {"a": result.digests[0], "b": result.digests[1]},
        "spec": _json_fields(result.spec),
        "features_only": _json_only(result.features_only),
        "views_only": _json_only(result.views_only),
        "corpora_only": _json_only(result.corpora_only),
        "corpora": _json_fields(result.corpora),
        "clips_only": _json_only(result.clips_only),
        "columns": [_json_column(difference) for difference in result.columns],
        "drawn": [{"view": d.view, **_json_column(d)} for d in result.drawn],
        "values": _json_numbers(numbers) if numbers else None,
        "libraries": _json_fields(result.libraries),
    }


def _numbers_verdict(numbers: Numbers | None) -> str:
    if numbers is None:
        return "the values were not compared"
    if not numbers.clips:
        return "the stores share no usable clip, so no values were compared"
    parts = []
    if numbers.differing:
        worst = [
            f"{max(d.largest for d in numbers.differing if d.feature == name):.3g} ({name})"
            for name in dict.fromkeys(d.feature for d in numbers.differing)
        ]
        parts.append(f"values differ by at most {', '.join(worst)}")
    elif numbers.measured:
        parts.append("all values in both are the same")
    if numbers.incomparable:
        parts.append(f"values of {', '.join(numbers.incomparable)} cannot be compared")
    return "; ".join(parts) or "the stores share no values"


def _numbers_text(numbers: Numbers) -> list[RenderableType]:
    """One line per differing feature: its views, largest error and its position, RMS over all its views."""
    table = Table("feature", "clips that differ", "largest", "RMS", "largest at", "A | B", box=None)
    for name in dict.fromkeys(difference.feature for difference in numbers.differing):
        views = [d for d in numbers.measured if d.feature == name]
        worst = max(views, key=lambda d: d.largest)
        spot = worst.spot
        table.add_row(
            name,
            ", ".join(f"{escape(d.view)} {d.differing:,}" for d in views if d.differing),
            f"{worst.largest:.3g}",
            f"{np.sqrt(np.mean(np.square([d.rms for d in views]))):.3g}",
            f"{escape(spot.clip_id)}, {escape(spot.view)}, {spot.coefficient}, {spot.frame}" if spot else "",
            f"{spot.a:.6g} | {spot.b:.6g}" if spot else "",
        )
    reasons = [f"{name}: {reason}" for name, reason in numbers.incomparable.items()]
    equal = format_count(numbers.shards_equal, "shard")
    counts = f"{equal} equal by hash, {numbers.shards_read:,} read and compared"
    return [
        *([table] if table.row_count else []),
        *_list_lines("values that cannot be compared:", reasons),
        f"values of {format_count(numbers.clips, 'clip')} usable in both: {counts}",
    ]


def _columns_text(differences: Sequence[ColumnDifference]) -> list[RenderableType]:
    """Each differing column and view, with example clips; about :data:`LISTED` lines in total."""
    share = max(1, LISTED // max(1, len(differences)))
    parts: list[RenderableType] = []
    for difference in differences:
        where = f"{difference.view}: " if difference.view else ""
        lines = [
            f"{clip}: {_format_value(a)} | {_format_value(b)}" for clip, a, b in _rows(difference)[:share]
        ]
        heading = f"{where}{difference.column} of {format_count(len(difference.clips), 'clip')}, A | B:"
        parts += _list_lines(heading, lines, len(difference.clips))
    return parts


def _list_lines(heading: str, lines: list[str], count: int | None = None) -> list[RenderableType]:
    """The heading and the first of ``count`` lines; nothing if there are no lines."""
    if not lines:
        return []
    return [escape(heading), *(f"  {line}" for line in first_lines([escape(line) for line in lines], count))]


def _field_lines(differences: Sequence[FieldDifference]) -> list[str]:
    return [f"{d.name}: {_format_value(d.a)} | {_format_value(d.b)}" for d in differences]


def _format_value(value: Any) -> str:
    match value:
        case None:
            return "none"
        case "":
            return "''"
        case float():
            return f"{value:.6g}"
        case list() if len(value) > LISTED:
            return f"{len(value):,} values, from {value[0]} to {value[-1]}"
        case _:
            return str(value)


def _rows(difference: ColumnDifference) -> list[tuple[str, Any, Any]]:
    return list(zip(difference.clips, difference.a, difference.b, strict=True))


def _json_fields(differences: Sequence[FieldDifference]) -> list[dict[str, Any]]:
    return [{"name": d.name, "a": d.a, "b": d.b} for d in differences]


def _json_only(only: OnlyIn) -> dict[str, list[str]]:
    return {"a": list(only.a), "b": list(only.b)}


def _json_column(difference: ColumnDifference) -> dict[str, Any]:
    clips = [{"clip_id": clip, "a": left, "b": right} for clip, left, right in _rows(difference)]
    return {"column": difference.column, "clips": clips}


def _json_numbers(numbers: Numbers) -> dict[str, Any]:
    return {
        "clips": numbers.clips,
        "shards_read": numbers.shards_read,
        "shards_equal": numbers.shards_equal,
        "incomparable": dict(numbers.incomparable),
        "measured": [
            {
                "feature": d.feature,
                "view": d.view,
                "clips": d.clips,
                "differing": d.differing,
                "largest": _finite(d.largest),
                "rms": _finite(d.rms),
                "at": {
                    "clip_id": d.spot.clip_id,
                    "view": d.spot.view,
                    "coefficient": d.spot.coefficient,
                    "frame": d.spot.frame,
                    "a": _finite(d.spot.a),
                    "b": _finite(d.spot.b),
                }
                if d.spot
                else None,
            }
            for d in numbers.measured
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
