"""A Zarr store whose objects are verified, and fetched from elsewhere if needed, when they are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import zarr.storage
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from featurestore.format.coordinates import coordinates
from featurestore.format.documents import StoreDocument
from featurestore.format.shard_frames import check_coordinate
from featurestore.format.zarr_metadata import metadata_objects
from featurestore.read.objects import Objects


class VerifiedStore(zarr.storage.WrapperStore[zarr.storage.LocalStore]):
    """The Zarr view of a store: its objects and nothing else, each only after its hash was verified.

    Metadata is derived from the document; the stored ``zarr.json`` files are for readers without this
    package.

    Getting an object raises what :meth:`featurestore.read.objects.Objects.ensure` raises.
    """

    def __init__(self, objects: Objects, document: StoreDocument) -> None:
        super().__init__(zarr.storage.LocalStore(objects.folder, read_only=True))
        self._objects = objects
        self._names = frozenset(document.objects)
        self._spec = document.spec
        self._metadata = metadata_objects(document.spec, document.datasets)
        self._coordinates = {
            f"{dataset}/{coordinate.name}/c/0": coordinate.bytes
            for dataset in document.datasets
            for coordinate in coordinates(document.spec)
        }

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The bytes of an object after its hash was verified; None if the store does not list it."""
        if key not in self._names:
            return None
        if key in self._metadata:
            return self._part(self._metadata[key], prototype, byte_range)
        if key in self._coordinates:
            chunk = await asyncio.to_thread(self._objects.read, key)
            check_coordinate(chunk, key, self._coordinates[key], self._spec.storage.codec)
            return self._part(chunk, prototype, byte_range)
        await asyncio.to_thread(self._objects.ensure, [key])
        data = await super().get(key, prototype, byte_range)
        # A build may have replaced the object between the check and the read.
        await asyncio.to_thread(self._objects.require_unchanged, [key])
        return data

    @staticmethod
    def _part(data: bytes, prototype: BufferPrototype, byte_range: ByteRequest | None) -> Buffer:
        match byte_range:
            case RangeByteRequest():
                data = data[byte_range.start : byte_range.end]
            case OffsetByteRequest():
                data = data[byte_range.offset :]
            case SuffixByteRequest():
                data = data[max(0, len(data) - byte_range.suffix) :]
        return prototype.buffer.from_bytes(data)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of several objects, each verified as :meth:`get` does."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether the store lists an object of this name."""
        return key in self._names

    async def list(self) -> AsyncIterator[str]:
        """Names of all objects, sorted."""
        for name in sorted(self._names):
            yield name

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Names of the objects that begin with ``prefix``, sorted."""
        for name in sorted(self._names):
            if name.startswith(prefix):
                yield name

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names directly inside the folder ``prefix``, sorted."""
        folder = f"{prefix.rstrip('/')}/" if prefix else ""
        inside = {name[len(folder) :].split("/")[0] for name in self._names if name.startswith(folder)}
        for name in sorted(inside):
            yield name
