"""Writes objects that belong together: durable together, so that a folder waits for its disk less often."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from featurestore.places.durable import storage_errors, sync_folder
from featurestore.places.folder import Folder
from featurestore.places.partials import flush, write_partial
from featurestore.places.place import Place

_FILES_AT_ONCE = 64
"""Files that are open at the same time, each with its lock. Many processes may open only 1,024."""


class WriteGroup(Protocol):
    """Objects that are written together. Use it in a ``with`` statement, and :meth:`finish` it there.

    Each object is complete or absent, whatever happens, but only :meth:`finish` makes sure that they exist.
    For one thread. Raises what :meth:`Place.write` raises.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, name: str, data: bytes) -> None:
        """Create or replace an object, soon."""

    def finish(self) -> None:
        """Return when all objects are durable."""


def write_group(place: Place) -> WriteGroup:
    """A new group of objects of ``place``."""
    return _FileGroup(place) if isinstance(place, Folder) else _SeparateObjects(place)


@dataclass
class _FileGroup:
    """Files of a folder: first all are written, then flushed, then renamed; then every folder is flushed."""

    folder: Folder
    _stack: ExitStack = field(default_factory=ExitStack)
    _open: list[tuple[Path, BinaryIO, Path]] = field(default_factory=list)
    """Path, partial file, and its name."""
    _folders: set[Path] = field(default_factory=set)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self, name: str, data: bytes) -> None:
        path = self.folder.path_of(name)
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file, partial = self._stack.enter_context(write_partial(path))
            self._open.append((path, file, partial))
            file.write(data)
            file.flush()
        # All of them: another thread may have just made a folder, and not flushed it yet.
        self._folders.update(above for above in path.parents if above.is_relative_to(self.folder.path))
        if len(self._open) == _FILES_AT_ONCE:
            self._rename()

    def finish(self) -> None:
        self._rename()
        for folder in sorted(self._folders):
            with storage_errors(folder):
                sync_folder(folder)

    def _rename(self) -> None:
        for path, file, _ in self._open:
            with storage_errors(path):
                flush(file)
        for path, _, partial in self._open:
            with storage_errors(path):
                partial.replace(path)
        self._open.clear()
        self._stack.close()


@dataclass
class _SeparateObjects:
    """Objects of a place where every one is durable when it is written."""

    place: Place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def write(self, name: str, data: bytes) -> None:
        self.place.write(name, data)

    def finish(self) -> None: ...
