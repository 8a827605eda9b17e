"""The stage, set once, with another process's build under way in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.mistakes.stage import set_stage

BUILD_WITHOUT_END = """
import sys
from featurestore.places.choose import place_at
from featurestore.places.lease import exclusive
with exclusive(place_at("busy.zarr")):
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="package")
def stage(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of the stage, the current one; ``busy.zarr`` is being built."""
    root = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name in ("SER_CORPORA", "AWS_PROFILE", "FORCE_COLOR"):
            patch.delenv(name, raising=False)
        set_stage(root, small_demo)
        command = [sys.executable, "-c", BUILD_WITHOUT_END]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as builder:
            assert builder.stdout is not None
            assert builder.stdout.readline() == "begun\n"
            yield root
            builder.communicate("")
