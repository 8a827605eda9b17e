"""A Zarr store whose objects are checked, and brought from elsewhere, when they are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import zarr.storage
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from featurestore.documents import StoreDocument
from featurestore.objects import Objects


class VerifiedStore(zarr.storage.WrapperStore[zarr.storage.LocalStore]):
    """What readers of Zarr see of a store: its objects and nothing else, each once its hash was checked.

    Getting raises as :meth:`featurestore.objects.Objects.ensure`.
    """

    def __init__(self, objects: Objects, document: StoreDocument) -> None:
        super().__init__(zarr.storage.LocalStore(objects.folder, read_only=True))
        self._objects = objects
        self._names = frozenset(document.objects)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """See :class:`zarr.abc.store.Store`."""
        if key not in self._names:
            return None
        await asyncio.to_thread(self._objects.ensure, [key])
        data = await super().get(key, prototype, byte_range)
        await asyncio.to_thread(
            self._objects.require_unchanged, [key]
        )  # a build may have replaced it in between
        return data

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """See :class:`zarr.abc.store.Store`."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """See :class:`zarr.abc.store.Store`."""
        return key in self._names

    async def list(self) -> AsyncIterator[str]:
        """See :class:`zarr.abc.store.Store`."""
        for name in sorted(self._names):
            yield name

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """See :class:`zarr.abc.store.Store`."""
        for name in sorted(self._names):
            if name.startswith(prefix):
                yield name

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """See :class:`zarr.abc.store.Store`."""
        folder = f"{prefix.rstrip('/')}/" if prefix else ""
        inside = {name[len(folder) :].split("/")[0] for name in self._names if name.startswith(folder)}
        for name in sorted(inside):
            yield name
