"""How much a constant value appears to vary after float32 rounding. No torch.

A value with mean m is treated as constant if its deviation is below
``SMALLEST_DEVIATION + ROUNDING · |m|``.
"""

from __future__ import annotations

SMALLEST_DEVIATION = 1e-6
"""Deviations below this are rounding errors, whatever the mean."""

ROUNDING = 1e-5
"""Share of the mean by which sums in float32 make a constant value vary, at most."""
