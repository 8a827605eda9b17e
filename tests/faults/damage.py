"""Damage to the objects of a store: what bit rot, a cut-off copy, a lost file or a mix-up leaves behind."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from featurestore.format.layout import STORE_JSON

KINDS = {
    "shard": r"demo/\w+/c/\d+/\d+/0/0",
    "unit record": r"records/demo/\d{5}\.json",
    "unit statistics": r"records/demo/\d{5}\.parquet",
    "corpus record": r"records/demo/corpus\.json",
    "manifest": r"manifest\.parquet",
    "views": r"views\.parquet",
    "statistics": r"statistics\.parquet",
    "root metadata": r"zarr\.json",
    "group metadata": r"demo/zarr\.json",
    "array metadata": r"demo/(mel|rms)/zarr\.json",
    "coordinate metadata": r"demo/(frame|mel_band)/zarr\.json",
    "coordinate chunk": r"demo/(frame|mel_band)/c/0",
}
"""Every kind of object but ``store.json``, which is damaged alone: the hashes of the rest stand in it."""

OF_UNITS = ("shard", "unit record", "unit statistics")


@dataclass(frozen=True)
class Damage:
    """One fault, ``what``: flip bit ``bit`` of byte ``place``, truncate to ``place`` bytes, delete, swap."""

    what: str
    name: str
    place: int = 0
    bit: int = 0
    other: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The objects that are hit."""
        return (self.name, self.other) if self.other else (self.name,)

    def do(self, store: Path) -> None:
        """Damage the store. Files are replaced, never written into: others may be links to them."""
        path = store / self.name
        data = bytearray(path.read_bytes())
        path.unlink()
        if self.what == "flip":
            data[self.place] ^= 1 << self.bit
            path.write_bytes(data)
        elif self.what == "truncate":
            path.write_bytes(data[: self.place])
        elif self.what == "swap":
            (store / self.other).rename(path)
            (store / self.other).write_bytes(data)

    def undo(self, store: Path, sound: Path) -> None:
        """Link the objects of the sound store in again."""
        for name in self.names:
            (store / name).unlink(missing_ok=True)
            (store / name).hardlink_to(sound / name)


def unit_of(name: str) -> int | None:
    """The unit whose rebuilding repairs an object; None for tables and metadata."""
    shard = re.fullmatch(r"demo/\w+/c/\d+/(\d+)/0/0", name)
    record = re.fullmatch(r"records/demo/(\d{5})\.\w+", name)
    found = shard or record
    return int(found[1]) if found else None


def one_of_each_kind(what: str, sound: Path, rng: random.Random) -> list[Damage]:
    """Twelve faults, one of every kind of object; shards and records are those of one or two units."""
    names = sorted(path.relative_to(sound).as_posix() for path in sound.rglob("*") if path.is_file())
    units = rng.sample(range(3), rng.choice((1, 1, 2)))
    chosen = []
    for kind, pattern in KINDS.items():
        fit = [name for name in names if re.fullmatch(pattern, name)]
        chosen.append(rng.choice([n for n in fit if kind not in OF_UNITS or unit_of(n) in units]))
    return [draw(what, sound, name, rng) for name in chosen]


def draw(what: str, sound: Path, name: str, rng: random.Random) -> Damage:
    """A fault of an object at a random place; one truncation in three leaves nothing, or all but one byte."""
    size = (sound / name).stat().st_size
    if what == "flip":
        return Damage(what, name, rng.randrange(size), rng.randrange(8))
    if what == "truncate":
        return Damage(what, name, rng.choice((0, size - 1, *(rng.randrange(size) for _ in range(4)))))
    return Damage(what, name)


def swaps(sound: Path, count: int, rng: random.Random, *, alike: bool) -> list[Damage]:
    """Pairs of shards, each in one pair at most. ``alike``: of the same feature and equal sizes."""
    shards = sorted(path.relative_to(sound).as_posix() for path in sound.rglob("0") if len(path.parts) > 4)
    shards = [name for name in shards if unit_of(name) is not None]
    rng.shuffle(shards)
    pairs: list[Damage] = []
    while len(pairs) < count:
        one = shards.pop()
        fit = [name for name in shards if not alike or _alike(sound, one, name)]
        if fit:
            shards.remove(fit[0])
            pairs.append(Damage("swap", one, other=fit[0]))
    return pairs


def _alike(sound: Path, one: str, two: str) -> bool:
    same_feature = one.split("/")[1] == two.split("/")[1]
    return same_feature and (sound / one).stat().st_size == (sound / two).stat().st_size


def of_store_json(what: str, sound: Path, count: int, rng: random.Random) -> Sequence[Damage]:
    """Faults of ``store.json`` before its list of library versions."""
    size = (sound / STORE_JSON).read_bytes().index(b'"libraries"')
    drawn = (draw(what, sound, STORE_JSON, rng) for _ in range(1000))
    return [fault for fault in drawn if what != "flip" or fault.place < size][:count]
