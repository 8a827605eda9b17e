"""Figures as pictures embedded in a page."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure

_DPI = 144
_CSS_DPI = 96


@dataclass(frozen=True)
class Picture:
    """A picture with its alternative text."""

    alt: str
    uri: str
    """The picture itself as ``data:image/…``."""
    width: int
    height: int
    """``width`` and ``height`` are CSS pixels at natural size."""


def svg_picture(figure: Figure, alt: str) -> Picture:
    """``figure`` as SVG, for lines, bars and text. Equal figures give equal bytes."""
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "ser-features", "svg.fonttype": "path"}):
        figure.savefig(content, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    svg = content.getvalue()
    size = re.search(rb'<svg[^>]* viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    if size is None:
        raise AssertionError("matplotlib wrote an SVG without a viewBox")
    width, height = (round(float(points) * _CSS_DPI / 72) for points in size.groups())
    return Picture(alt, _uri("svg+xml", svg), width, height)


def png_picture(figure: Figure, alt: str) -> Picture:
    """``figure`` as PNG, for spectrograms and other images with many pixels."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI, bbox_inches="tight", metadata={"Software": None})
    return embed_png(content.getvalue(), alt, dpi=_DPI)


def embed_png(png: bytes, alt: str, dpi: int) -> Picture:
    """An existing PNG, drawn at ``dpi`` pixels per inch. Raises :class:`ValueError` if it is not a PNG."""
    width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
    if png[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("not a PNG of a figure")
    return Picture(alt, _uri("png", png), round(width * _CSS_DPI / dpi), round(height * _CSS_DPI / dpi))


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
