"""Colours of emotions on the pages of the demo."""

from __future__ import annotations

from typing import Final

COLOURS: Final = (
    "#4477aa",
    "#cc6677",
    "#ddaa33",
    "#228833",
    "#66ccee",
    "#aa3377",
    "#999999",
    "#882255",
    "#44aa99",
    "#332288",
)
"""Colours of emotions in the model's order, safe for colour-blind readers (P. Tol's schemes)."""
