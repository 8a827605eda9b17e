"""A part of a store as a place: small objects made anew in memory, shards taken from where the store is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from featurestore.places.place import Place
from schemas.errors import StorageError, StoreDamagedError


class PartPlace:
    """Objects in memory, and others by their names elsewhere; see :class:`~featurestore.places.place.Place`.

    ``shards`` : name here → name in ``source``. What is written stays in memory.
    """

    def __init__(self, source: Place, shards: Mapping[str, str]) -> None:
        self._source = source
        self._shards = shards
        self._made: dict[str, bytes] = {}

    def __str__(self) -> str:
        return str(self._source)

    def read(self, name: str, most: int) -> bytes:
        """See :meth:`Place.read`."""
        if name in self._shards:
            return self._source.read(self._shards[name], most)
        data = self._data(name)
        if len(data) > most:
            raise StoreDamagedError(f"{name} takes {len(data):,} bytes, at most {most:,} can be right")
        return data

    def blocks(self, name: str, start: int = 0) -> Iterator[bytes]:
        """See :meth:`Place.blocks`."""
        if name in self._shards:
            return self._source.blocks(self._shards[name], start)
        data = self._data(name)[start:]
        return iter([data] if data else [])

    def write(self, name: str, data: bytes) -> None:
        """See :meth:`Place.write`."""
        self._made[name] = data

    def size(self, name: str) -> int | None:
        """See :meth:`Place.size`."""
        if name in self._shards:
            return self._source.size(self._shards[name])
        return len(self._made[name]) if name in self._made else None

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Name → bytes of what was made; shards are not asked for."""
        return {name: len(data) for name, data in self._made.items() if name.startswith(folder)}

    def delete(self, names: Iterable[str]) -> None:
        """See :meth:`Place.delete`: what was made."""
        for name in list(names):
            self._made.pop(name, None)

    def copy(self, source: str, target: str) -> bool:
        """See :meth:`Place.copy`."""
        raise StorageError(f"{source} cannot become {target} in a part of a store")

    def _data(self, name: str) -> bytes:
        try:
            return self._made[name]
        except KeyError:
            raise FileNotFoundError(f"there is no {name} in the part of {self}") from None
