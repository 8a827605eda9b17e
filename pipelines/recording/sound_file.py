"""Opens a recording with libsndfile and reads its samples. Errors are in this project's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
import numpy.typing as npt
import soundfile

from pipelines.quiet import quiet_libraries
from pipelines.recording.containers import ContainerLayout, examine
from pipelines.recording.cursor import Cursor
from pipelines.recording.source import ByteSource, Part

Samples = npt.NDArray[np.float32]

UNKNOWN_FRAMES = 2**40
"""More samples than any file has; FLAC written to a pipe does not announce their number."""

_AT_ONCE = 2**24
"""Samples of all channels read at once, 64 MiB. More are read in blocks: a header may announce too many."""

_ERRORS = (soundfile.SoundFileError, RuntimeError, ValueError, TypeError, IndexError)
"""libsndfile and its binding raise several kinds of errors for damaged bytes."""

_UNRECOGNISED, _NO_MEMORY = 1, 17
"""libsndfile's numbers of errors."""


class SoundFileError(Exception):
    """libsndfile cannot read a recording; the message says why."""


class SamplesLostError(SoundFileError):
    """Decoding stopped after ``readable`` samples per channel."""

    def __init__(self, readable: int) -> None:
        super().__init__(f"decoding stops after {readable} samples")
        self.readable = readable


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from its start to its end: not every codec of libsndfile can seek."""

    def seekable(self) -> bool:
        return False


class SoundFile:
    """An open recording. Use it as a context manager.

    ``frames`` (samples per channel, or :data:`UNKNOWN_FRAMES` and more), ``sample_rate``, ``channels``,
    ``container`` and ``subtype`` (both as named by libsndfile) come from its header, ``layout`` from this
    project's own look at it. Raises :class:`SoundFileError` if libsndfile cannot open it, ``MemoryError``,
    and ``OSError`` if the source cannot be read.
    """

    def __init__(self, source: ByteSource, layout: ContainerLayout | None = None) -> None:
        self.layout = examine(source) if layout is None else layout
        self._source = Part(source, self.layout.start, self.layout.extent.patches)
        self._cursor, self._file = self._open()
        limit = self.layout.extent.frames
        frames = int(self._file.frames)
        self.frames = frames if limit is None else min(frames, limit)
        self.sample_rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.container = str(self._file.format)
        self.subtype = str(self._file.subtype)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def read(self, most: float) -> Samples:
        """Read samples (n, channels) float32 up to the end, but not many more than ``most`` per channel.

        Raises :class:`SamplesLostError` if decoding stops before, ``MemoryError`` and ``OSError``.
        """
        if self.frames * self.channels <= _AT_ONCE:
            return next(self.blocks(_AT_ONCE), np.zeros((0, self.channels), np.float32))
        parts: list[Samples] = []
        count = 0
        for block in self.blocks(int(min(_AT_ONCE, (most + 1) * self.channels))):
            parts.append(block)
            count += len(block)
            if count > most:
                break
        return np.concatenate(parts) if parts else np.zeros((0, self.channels), np.float32)

    def blocks(self, samples: int) -> Iterator[Samples]:
        """Read (n, channels) float32 block by block, each of ``samples`` of all channels together.

        Raises what :meth:`read` raises.
        """
        at_once = max(1, samples // self.channels)
        left = self.frames
        try:
            while left > 0 and len(block := self._read(min(at_once, left))):
                left -= len(block)
                yield block
        except _ERRORS as error:
            self._raise_failure(error)
            raise SamplesLostError(self._count_readable()) from error

    def _read(self, count: int) -> Samples:
        with quiet_libraries():
            samples: Samples = self._file.read(count, dtype="float32", always_2d=True)
        if self._cursor.failure is not None:
            raise self._cursor.failure
        return samples

    def _open(self) -> tuple[Cursor, soundfile.SoundFile]:
        cursor = Cursor(self._source)
        try:
            with quiet_libraries():
                file = _Sequential(cursor)
        except _ERRORS as error:
            _raise_cursor_failure(cursor, error)
            raise SoundFileError(self._reason(error)) from error
        if cursor.failure is not None:
            file.close()
            raise cursor.failure
        return cursor, file

    def _raise_failure(self, error: Exception) -> None:
        _raise_cursor_failure(self._cursor, error)

    def _reason(self, error: Exception) -> str:
        container, codec = self.layout.container, self.layout.extent.codec
        code = getattr(error, "code", None)
        if codec:
            article = "an" if container[0] in "AI" else "a"
            return (
                f"{article} {container} file with {codec}, which is not read; convert it to WAV: "
                f"ffmpeg -i FILE.{container.lower()} FILE-converted.wav"
            )
        if not container or code == _UNRECOGNISED:
            return "no known audio format"
        return f"the {container} header is damaged or incomplete"

    def _count_readable(self) -> int:
        """Samples per channel before the place at which decoding fails."""
        _, file = self._open()
        readable = 0
        with file:
            try:
                while count := len(file.read(4096, dtype="float32", always_2d=True)):
                    readable += count
            except _ERRORS:
                return readable
        return readable


def _raise_cursor_failure(cursor: Cursor, error: Exception) -> None:
    """Raise what made libsndfile fail, if it was not the bytes of the file."""
    if cursor.failure is not None:
        raise cursor.failure from error
    if getattr(error, "code", None) == _NO_MEMORY:
        raise MemoryError from error
