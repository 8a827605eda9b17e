"""Opens a recording with libsndfile and reads its samples; problems are told in this project's words."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
import soundfile

from pipelines.recording.containers import Layout, examine
from pipelines.recording.source import Part, Source
from pipelines.recording.stream import Stream

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

    def __init__(self, source: Source, layout: Layout | None = None) -> None:
        self.layout = examine(source) if layout is None else layout
        self._source = Part(source, self.layout.start, self.layout.extent.patches)
        self._stream, self._file = self._open()
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

    def read(self, most: int) -> Samples:
        """Read samples (n, channels) float32 up to the end, but at most ``most`` per channel and a block.

        Raises :class:`SamplesLostError` if decoding stops before, ``MemoryError`` and ``OSError``.
        """
        at_once = max(1, _AT_ONCE // self.channels)
        try:
            if self.frames <= at_once:
                return self._read(self.frames)
            blocks = []
            left = min(self.frames, most + 1)
            while left > 0 and len(block := self._read(min(at_once, left))):
                blocks.append(block)
                left -= len(block)
        except _ERRORS as error:
            self._raise_failure(error)
            raise SamplesLostError(self._count_readable()) from error
        return np.concatenate(blocks) if blocks else np.zeros((0, self.channels), np.float32)

    def _read(self, count: int) -> Samples:
        samples: Samples = self._file.read(count, dtype="float32", always_2d=True)
        if self._stream.failure is not None:
            raise self._stream.failure
        return samples

    def _open(self) -> tuple[Stream, soundfile.SoundFile]:
        stream = Stream(self._source)
        try:
            file = _Sequential(stream)
        except _ERRORS as error:
            _raise_stream_failure(stream, error)
            raise SoundFileError(self._reason(error)) from error
        if stream.failure is not None:
            file.close()
            raise stream.failure
        return stream, file

    def _raise_failure(self, error: Exception) -> None:
        _raise_stream_failure(self._stream, error)

    def _reason(self, error: Exception) -> str:
        container, codec = self.layout.container, self.layout.extent.codec
        code = getattr(error, "code", None)
        if codec:
            return (
                f"{container} with {codec}, which is not decoded; convert it, such as: "
                "ffmpeg -i OLD -c:a pcm_s16le NEW.wav"
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


def _raise_stream_failure(stream: Stream, error: Exception) -> None:
    """Raise what made libsndfile fail, if it was not the bytes of the file."""
    if stream.failure is not None:
        raise stream.failure from error
    if getattr(error, "code", None) == _NO_MEMORY:
        raise MemoryError from error
