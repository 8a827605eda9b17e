"""Something else where a file should be: links, pipes, folders, nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.hostile.forge import Forge
from tests.hostile.stores.registry import SHARD, add


def _replaced(name: str, put: Callable[[Path], object]) -> Callable[[Forge], None]:
    def make(forge: Forge) -> None:
        path = forge.folder / name
        shutil.move(path, forge.folder.parent / "outside")
        put(path)

    return make


_LINKED = "is a link|leads out of the store|is not a regular|does not match store.json|missing"

for _name, _at in (
    ("store.json", "open"),
    ("manifest.parquet", "read"),
    (SHARD, "read"),
    ("demo/mel", "read"),
):
    add(
        f"{_name} a link to the very file",
        _at,
        _LINKED,
        _replaced(_name, lambda path: path.symlink_to(_outside(path))),
        travels=False,
    )
    add(
        f"{_name} a link to itself",
        _at,
        ".",
        _replaced(_name, lambda path: path.symlink_to(path.name)),
        travels=False,
    )
    add(
        f"{_name} a link to nowhere",
        _at,
        ".",
        _replaced(_name, lambda path: path.symlink_to("/nonexistent/x")),
        travels=False,
    )
for _name, _at in (("store.json", "open"), ("manifest.parquet", "read"), (SHARD, "read")):
    add(
        f"{_name} a pipe",
        _at,
        "is not a regular file|missing|not match",
        _replaced(_name, os.mkfifo),
        travels=False,
    )
    add(
        f"{_name} a folder",
        _at,
        "is not a regular file|missing|not match|Is a directory",
        _replaced(_name, lambda path: path.mkdir()),
        travels=False,
    )
    add(
        f"{_name} a link to /dev/zero",
        _at,
        _LINKED,
        _replaced(_name, lambda path: path.symlink_to("/dev/zero")),
        travels=False,
    )


def _outside(path: Path) -> Path:
    while path.suffix != ".zarr":
        path = path.parent
    return path.parent / "outside"
