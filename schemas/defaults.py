"""Defaults that several commands share. The module imports nothing, so that ``--help`` stays fast."""

from __future__ import annotations

DEFAULT_RECIPE = "four-corpora-a"
"""The shipped recipe that commands follow if none is given."""
