"""What all figures share: headings that wrap, and PNG files."""

from __future__ import annotations

import io
import textwrap

import matplotlib as mpl
from matplotlib.figure import Figure

_DPI = 130


def wrap_heading(heading: str, width: int) -> list[str]:
    """Break every line of a heading into lines of at most ``width`` characters."""
    return [line for part in heading.splitlines() for line in textwrap.wrap(part, width)]


def encode_png(figure: Figure) -> bytes:
    """Encode a figure as PNG, cropped to its content. A bare ``Figure`` draws with Agg, without pyplot."""
    content = io.BytesIO()
    with mpl.rc_context({"savefig.facecolor": "white"}):
        figure.savefig(content, format="png", dpi=_DPI, bbox_inches="tight")
    return content.getvalue()
