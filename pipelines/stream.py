"""Reads a recording in blocks, so that memory does not grow with its length."""

from __future__ import annotations

import io
import math
import mmap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import soundfile

from pipelines.decode import (
    LOUDEST_PEAK,
    SILENCE_PEAK,
    Bytes,
    UnusableRecordingError,
    _check_header,
    _mean,
    _MemoryFile,
)
from pipelines.quiet import quiet_libraries
from schemas.spec import AudioSpec

Source = Path | bytes
"""A recording: its path, or the bytes of the file."""

_BLOCK_SAMPLES = 1 << 18
"""Samples of all channels in a block: 1 MB."""

_ERRORS = (soundfile.SoundFileError, RuntimeError, ValueError, TypeError, IndexError)


def announced_duration(source: Source) -> float | None:
    """Seconds that the header gives, without decoding; None if there is no such header or file."""
    if isinstance(source, Path) and not source.is_file():
        return None
    try:
        with _open(source) as (_, file):
            return file.frames / file.samplerate if 0 < file.frames < 2**40 else None
    except (*_ERRORS, OSError):
        return None


@dataclass(frozen=True)
class Stream:
    """A recording that was decoded once and found usable, to be decoded again in blocks.

    ``rate`` : of the file, Hz. ``duration_s`` : of the samples that it really holds.
    """

    source: Source
    rate: int
    duration_s: float

    @classmethod
    def open(cls, source: Source, audio: AudioSpec) -> Self:
        """Decode ``source`` once, however long it is, and check what :func:`pipelines.decode.decode` checks.

        Raises :class:`UnusableRecordingError`, and OSError if the file cannot be read.
        """
        unlimited = audio.model_copy(update={"max_duration_s": math.inf})
        frames, peak, mono_peak, broken = 0, 0.0, 0.0, 0
        with _translated(), _open(source) as (data, file):
            _check_header(data, file, unlimited)
            for block in _read(file):
                frames += len(block)
                broken += int(np.count_nonzero(~np.isfinite(block)))
                peak = max(peak, float(np.abs(block).max()))
                mono_peak = max(mono_peak, float(np.abs(_mean(block)).max()))
            if frames < file.frames and file.format != "MP3":  # MP3 headers only estimate
                raise UnusableRecordingError(
                    f"truncated: {frames:,} of {file.frames:,} samples readable", file
                )
            if broken:
                raise UnusableRecordingError(f"{broken:,} samples are NaN or infinite", file)
            if mono_peak < SILENCE_PEAK:
                raise UnusableRecordingError(f"silent: the loudest sample is {peak:.1g} of full scale", file)
            if peak > LOUDEST_PEAK:
                raise UnusableRecordingError(
                    f"the loudest sample is {peak:.3g} times full scale; scale the samples to ±1", file
                )
            return cls(source, int(file.samplerate), frames / file.samplerate)

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        """Samples (n,) float32, the mean of the channels, block by block."""
        with _translated(), _open(self.source) as (_, file):
            for block in _read(file):
                yield _mean(block)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        reason = getattr(error, "error_string", error)
        raise UnusableRecordingError(f"not readable as audio: {reason}") from error


def _read(file: soundfile.SoundFile) -> Iterator[npt.NDArray[np.float32]]:
    """Blocks (n, channels) to the end of the sound."""
    size = max(1, _BLOCK_SAMPLES // file.channels)
    while True:
        with quiet_libraries():
            block = file.read(size, dtype="float32", always_2d=True)
        if not len(block):
            return
        yield block


@contextmanager
def _open(source: Source) -> Iterator[tuple[Bytes, soundfile.SoundFile]]:
    """The bytes of a recording, mapped if it is a file, and its decoder."""
    with ExitStack() as stack:
        data: Bytes
        file: io.BytesIO | _DiskFile
        if isinstance(source, bytes):
            data, file = source, _MemoryFile(source)
        else:
            stream = stack.enter_context(source.open("rb"))
            mapped = stack.enter_context(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
            data, file = stack.enter_context(memoryview(mapped)), _DiskFile(stream)
        with quiet_libraries():
            opened = _Sequential(file)
        yield data, stack.enter_context(opened)


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from start to end: the binding would seek after each block, which alters an MP3."""

    def seekable(self) -> bool:
        return False


class _DiskFile:
    """An open file without its name, which libsndfile would read a format from."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._size = stream.seek(0, io.SEEK_END)
        stream.seek(0)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; one before the start, as damaged headers give, changes nothing."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._stream.tell(), io.SEEK_END: self._size}[whence]
        return self._stream.seek(start + offset) if start + offset >= 0 else self._stream.tell()

    def tell(self) -> int:
        """Position in the file."""
        return self._stream.tell()

    def readinto(self, buffer: bytearray) -> int:
        """Read into ``buffer``; returns the number of bytes."""
        return self._stream.readinto(buffer)

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""
        return self._stream.read(size)
