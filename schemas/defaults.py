"""Defaults that several commands share, in a module that imports nothing: ``--help`` and Tab need them fast."""

from __future__ import annotations

DEFAULT_RECIPE = "four-corpora-a"
"""The shipped recipe that commands follow if none is given."""
