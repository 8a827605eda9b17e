"""A cache of hashes of the test's own, and a clock that is ahead."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.featurestore.plan.hashing import HOUR_S


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SER_CACHE", str(folder))
    return folder


@pytest.fixture
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock by which all recordings have settled."""
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + HOUR_S * 10**9)
