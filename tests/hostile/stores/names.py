"""Names of corpora, features and files that lead elsewhere or mislead."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.forge import Forge
from tests.hostile.stores.registry import add


def _named(name: str) -> Callable[[Forge], None]:
    def make(forge: Forge) -> None:
        forge.document["objects"][name] = {"bytes": 1, "sha256": "0" * 64}
        forge.seal()

    return make


for _name in (
    "../outside.txt",
    "/etc/passwd",
    "demo/../../outside",
    "demo\\mel",
    "demo/mel\0/zarr.json",
    "./manifest.parquet",
    "demo//mel/zarr.json",
    "demo/mel/",
    "",
    "C:/Windows/x",
    "demo/me\u0301l/zarr.json",
    "notes.txt",
    "demo/mel/c/0/00/0/0",
    "demo/mel/c/0/-1/0/0",
    "x" * 5000,
):
    add(
        f"an object named {_name[:30]!r}",
        "open",
        "not an object of a store|does not fit its specification",
        _named(_name),
    )

for _name in (
    "..",
    ".",
    "records",
    "versions",
    "con",
    "../../tmp/x",
    "/tmp/x",
    "De mo",
    "demo\n",
    "x" * 64,
    "\u0434emo",
):
    add(
        f"a corpus named {_name[:30]!r}",
        "open",
        "names a corpus",
        lambda forge, name=_name: forge.rename_corpus(name),
    )
