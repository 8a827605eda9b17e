"""A good store, and a process that meets the hostile ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.probe import Probe


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """A process that acts on stores, with a cache of its own."""
    cache = tmp_path_factory.mktemp("cache")
    found = Probe({**os.environ, "SER_CACHE": str(cache), "RUST_BACKTRACE": "0"})
    yield found
    found.close()


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """An empty folder that the hostile store stands in, to see whether anything appears beside it."""
    return tmp_path
