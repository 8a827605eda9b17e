"""Trees of empty files: scanning reads names, never audio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Function that makes empty files (paths relative to a new folder) and returns that folder."""

    def make(*paths: str, root: str = "root") -> Path:
        folder = tmp_path / root
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return folder

    return make
