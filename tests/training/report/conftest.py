"""Tests of reports look at pictures."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def blank_pictures() -> None:
    """Pictures are drawn."""
