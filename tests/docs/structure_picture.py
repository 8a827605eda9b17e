"""Draws docs/pictures/structure.svg from the layers in pyproject.toml.

Command: python -m tests.docs.structure_picture
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tests.conftest import REPOSITORY

PICTURE = REPOSITORY / "docs" / "pictures" / "structure.svg"

_MONOSPACE = 'font-family="ui-monospace, Menlo, Consolas, monospace"'
_COMMANDS = "ser-train · ser-evaluate · ser-predict · ser-export · ser-demo · ser-serve · ser-features"
_WIDTH, _EDGE, _INSET = 1000, 20, 16
_ROOM, _GAP, _HEADING, _BETWEEN = 25, 6, 40, 26


@dataclass(frozen=True)
class House:
    """A package: its rooms in rows from top to bottom, and its colours."""

    name: str
    purpose: str
    rows: Sequence[Sequence[str]]
    fill: str = "#f6f8fa"
    stroke: str = "#57606a"

    @property
    def height(self) -> int:
        """Pixels."""
        return _HEADING + len(self.rows) * (_ROOM + _GAP) - _GAP + 20


def layers(package: str) -> list[list[str]]:
    """The rooms of a package as its import contract orders them."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (found,) = (each["layers"] for each in contracts if each.get("containers") == [package])
    return [row.split(" | ") for row in found]


def draw() -> str:
    """The picture as SVG."""
    training = House(
        "training", "store → split → model → result", layers("training"), fill="#fff4e5", stroke="#8a4600"
    )
    store = House(
        "featurestore",
        "recordings → durable store → readers",
        layers("featurestore"),
        fill="#ddf0ff",
        stroke="#0b5cad",
    )
    data = House(
        "data",
        "where clips come from",
        [
            ["one module per corpus", "own_recordings", "described"],
            ["tables", "emobox", "download", "voices"],
        ],
    )
    pipelines = House(
        "pipelines",
        "recording → features",
        [["decode, trim, …", "recording", "views"], ["features", "encoders"]],
    )
    schemas = House(
        "schemas",
        "specifications, recipes, errors: what things are",
        [["one module per kind of thing", "recipes", "spaces", "files", "messages"]],
    )
    half = (_WIDTH - 2 * _EDGE - 20) // 2
    parts = [_text(_WIDTH / 2, 34, _COMMANDS, f'font-size="14" fill="#0b5cad" {_MONOSPACE}')]
    top = 50
    for row in ((training,), (store,), (data, pipelines), (schemas,)):
        width = _WIDTH - 2 * _EDGE if len(row) == 1 else half
        for index, house in enumerate(row):
            parts += _house(house, _EDGE + index * (half + 20), top, width)
        bottom = top + row[0].height
        ends = (255, 745) if row[0] in (store, data) else (500,)
        if row[0] is not schemas:
            parts += [_arrow(x, bottom + 2, bottom + _BETWEEN - 2) for x in ends]
        top = bottom + _BETWEEN
    note = "Imports go down only: within a package, a row may import the rows below it."
    parts.append(_text(_WIDTH / 2, top, note, 'font-size="13" fill="#424a53"'))
    return "\n".join([*_head(top + 18), *parts, "</svg>", ""])


def _head(height: int) -> list[str]:
    label = (
        "Five packages in four layers, training above featurestore above data and pipelines above schemas, "
        "with their folders"
    )
    return [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img" aria-label="{label}" '
            'font-family="system-ui, -apple-system, \'Segoe UI\', Roboto, sans-serif" fill="#1b1f24">'
        ),
        (
            '<defs><marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0L10 5L0 10z" fill="#1b1f24"/></marker></defs>'
        ),
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
    ]


def _house(house: House, left: float, top: float, width: float) -> list[str]:
    parts = [
        _box(left, top, width, house.height, house, radius=8, fill=house.fill),
        _text(left + _INSET, top + 25, house.name, f'font-size="17" font-weight="600" {_MONOSPACE}', "start"),
        _text(left + width - _INSET, top + 25, house.purpose, 'font-size="13" fill="#424a53"', "end"),
    ]
    for number, row in enumerate(house.rows):
        space = width - 2 * _INSET - _GAP * (len(row) - 1)
        weights = [max(len(name), 8) for name in row]
        x, y = left + _INSET, top + _HEADING + number * (_ROOM + _GAP)
        for name, weight in zip(row, weights, strict=True):
            wide = space * weight / sum(weights)
            parts.append(_box(x, y, wide, _ROOM, house, radius=5, fill="#ffffff"))
            parts.append(_text(x + wide / 2, y + 17, name, f'font-size="13" {_MONOSPACE}'))
            x += wide + _GAP
    return parts


def _box(x: float, y: float, width: float, height: float, house: House, *, radius: int, fill: str) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" fill="{fill}" '
        f'stroke="{house.stroke}" stroke-width="1.5"/>'
    )


def _text(x: float, y: float, text: str, style: str, anchor: str = "middle") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" {style}>{escape(text)}</text>'


def _arrow(x: float, start: float, end: float) -> str:
    return (
        f'<path d="M{x:g} {start:g}L{x:g} {end:g}" stroke="#1b1f24" stroke-width="2" fill="none" '
        'marker-end="url(#a)"/>'
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
