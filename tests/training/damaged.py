"""Damage to the files of runs, and runs as older versions left them."""

from __future__ import annotations

import random
from pathlib import Path

from training.runs.hashes import HASHES


def files_of(run: Path) -> list[str]:
    """Every file of a run or series but locks, by path within it."""
    found = (path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.endswith(".lock"))


def flip_bit(path: Path, seed: int) -> bytes:
    """Flip one bit somewhere in a file, or write one into an empty picture; returns its content before."""
    content = path.read_bytes()
    if not content:
        path.write_bytes(b"\1")
        return content
    drawn = random.Random(seed)
    damaged = bytearray(content)
    damaged[drawn.randrange(len(content))] ^= 1 << drawn.randrange(8)
    path.write_bytes(damaged)
    return content


def without_hashes(run: Path) -> Path:
    """Make a run or series one of a version that wrote no hashes."""
    for path in run.rglob(HASHES):
        path.unlink()
    return run
