"""A part of a store as a place: small objects in memory, shards read from the store itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from featurestore.places.place import Place
from schemas.errors import StorageError, StoreDamagedError


class PartPlace:
    """A :class:`~featurestore.places.place.Place` with small objects in memory and shards elsewhere.

    ``shards``: name in this place → name in ``source``.
    """

    def __init__(self, source: Place, shards: Mapping[str, str]) -> None:
        self._source = source
        self._shards = shards
        self._made: dict[str, bytes] = {}

    def __str__(self) -> str:
        return str(self._source)

    def read(self, name: str, most: int) -> bytes:
        """Read an object of at most ``most`` bytes."""
        if name in self._shards:
            return self._source.read(self._shards[name], most)
        data = self._data(name)
        if len(data) > most:
            raise StoreDamagedError(
                f"{name} has {len(data):,} bytes, but at most {most:,} are possible; do not use this store"
            )
        return data

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """Read an object block by block, from byte ``start``."""
        if name in self._shards:
            return self._source.blocks(self._shards[name], start)
        data = self._data(name)[start:]
        return iter([data] if data else [])

    def write(self, name: str, data: bytes) -> None:
        """Keep an object in memory."""
        self._made[name] = data

    def size(self, name: str) -> int | None:
        """Size of an object in bytes; None if there is none."""
        if name in self._shards:
            return self._source.size(self._shards[name])
        return len(self._made[name]) if name in self._made else None

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Name → bytes of the objects in memory, without the shards."""
        return {name: len(data) for name, data in self._made.items() if name.startswith(folder)}

    def delete(self, names: Iterable[str]) -> None:
        """Drop objects from memory; others are ignored."""
        for name in list(names):
            self._made.pop(name, None)

    def copy(self, source: str, target: str) -> bool:
        """Raise :class:`StorageError`: a part cannot copy objects."""
        raise StorageError(f"cannot copy {source} to {target}: a part of a store is read-only")

    def _data(self, name: str) -> bytes:
        try:
            return self._made[name]
        except KeyError:
            raise FileNotFoundError(f"there is no {name} in the part of {self}") from None
