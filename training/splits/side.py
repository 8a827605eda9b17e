"""The sides of a split, and the view that all sides read."""

from __future__ import annotations

from typing import Literal

Side = Literal["train", "validation", "test"]
"""A side of a split."""

SIDES: tuple[Side, ...] = ("train", "validation", "test")

ORIGINAL_VIEW = 0
"""The only view that validation and test read."""
