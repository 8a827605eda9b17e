"""Reads, decodes and downmixes recordings ahead of use with NVIDIA DALI; torch shares its memory."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipelines.recording.sound_file import SoundFile, SoundFileError
from pipelines.recording.source import FileSource
from schemas.errors import UsageError
from schemas.files.regular_file import open_regular_file

BATCHES_AHEAD = 2
"""Batches that DALI processes while the caller uses the previous one."""

BATCH_BYTES = 128 * 2**20
"""Limit of a batch: bytes of the files and of the float32 samples of all channels, as announced in the
headers."""

CONTAINERS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF"})
"""Containers, as named by libsndfile, for which DALI gives the same samples as soundfile, bit for bit, or an
error. Samples of Ogg Vorbis differ by up to 6e-8. Of 400 copies of two FLAC recordings with one flipped bit
each, all refused by soundfile, DALI 2.4 decoded 27 without an error and with silence for the damaged frame.
DWVW in AIFF, which soundfile refuses, is excluded as well."""

MOST_CHANNELS = 2
"""With more, the mean of the channels is summed in another order and differs by up to 1e-8."""

_DALI_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, ArithmeticError, MemoryError)
"""Python exceptions for DALI's C++ exceptions; damaged headers raise several kinds."""

_NOISE = re.compile(r'^.*(Assert on ".*" failed: |Error decoding (audio )?file \S*\. *)')


@dataclass(frozen=True)
class DaliClip:
    """A decoded recording. Its arrays share DALI's memory, and each keeps the whole batch in memory.

    ``data``     : (bytes,) uint8, read-only, the file as read by DALI.
    ``channels`` : (n, channel) float32, at the sample rate of the file.
    ``mono``     : (n,) float32, the mean of the channels.

    Nothing is checked yet: samples may be missing, silent, truncated or NaN.
    """

    data: npt.NDArray[np.uint8]
    channels: torch.Tensor
    mono: torch.Tensor


@dataclass(frozen=True)
class Refused:
    """A file that DALI cannot read or decode, or that exceeds the limit, with a short reason."""

    reason: str


_Batch = list[Path | Refused]


def dali_clips(files: Sequence[Path], threads: int, batch: int = 32) -> Generator[DaliClip | Refused]:
    """Read, decode and downmix files with DALI on the CPU; one result per file, in the given order.

    At most ``2 + BATCHES_AHEAD`` batches, each of ``batch`` files or :data:`BATCH_BYTES`, are in memory at a
    time, apart from those whose clips the caller keeps. If DALI fails on a file, that file becomes
    :class:`Refused`, and the others of its batch are still decoded. Nothing is resampled, as DALI's
    resampling aliases. Closing the generator ends DALI's threads; clips already returned stay valid. Raises
    :class:`UsageError` at the call if DALI is not installed.
    """
    return _clips(require_dali(), _batches(files, batch), threads, batch)


def require_dali() -> ModuleType:
    """Import ``nvidia.dali``. Raises :class:`UsageError` with the command that installs it."""
    try:
        return importlib.import_module("nvidia.dali")
    except ImportError as error:
        raise UsageError(
            "decoding with DALI needs NVIDIA DALI, which is not installed; run "
            "pip install nvidia-dali-cuda130"
        ) from error


def _clips(
    dali: ModuleType, batches: Iterator[_Batch], threads: int, largest: int
) -> Generator[DaliClip | Refused]:
    pipeline = _pipeline(dali, threads, largest)
    under_way: deque[_Batch] = deque()
    again: deque[_Batch] = deque()
    while True:
        while len(under_way) <= BATCHES_AHEAD and (batch := again.popleft() if again else next(batches, [])):
            _start(pipeline, batch)
            under_way.append(batch)
        if not under_way:
            return
        batch = under_way.popleft()
        try:
            results = _results(pipeline, batch)
        except _DALI_ERRORS as error:
            # The pipeline and all running batches are now invalid, and the failing file is unknown.
            pipeline = _pipeline(dali, threads, largest)
            again.extendleft(reversed(under_way))
            under_way.clear()
            if len(batch) > 1:
                again.extendleft([item] for item in reversed(batch))
                continue
            results = [Refused(_reason(error))]
        yield from results


def _batches(files: Sequence[Path], largest: int) -> Iterator[_Batch]:
    """Batches of files that DALI may decode; refused files keep their positions."""
    batch: _Batch = []
    held = 0
    for file in files:
        size = _size_in_memory(file)
        need = size if isinstance(size, int) else 0
        if batch and (len(batch) == largest or held + need > BATCH_BYTES):
            yield batch
            batch, held = [], 0
        batch.append(file if isinstance(size, int) else size)
        held += need
    if batch:
        yield batch


def _size_in_memory(file: Path) -> int | Refused:
    """Size in memory of the file and its samples according to its header, or the reason to skip DALI.

    DALI trusts the header: one that announces 2³⁰ samples costs seconds and gigabytes before decoding fails.
    """
    try:
        with open_regular_file(file, sys.maxsize) as opened, SoundFile(FileSource(opened)) as header:
            container, subtype, layout = header.container, header.subtype, header.layout
            samples = header.frames * header.channels
            bytes_in_file = os.fstat(opened.fileno()).st_size
    except OSError as error:
        return Refused(error.strerror or str(error))
    except SoundFileError as error:
        return Refused(str(error))
    if layout.start or layout.extent.patches or layout.extent.lost:
        return Refused("its header is not left to DALI, as it is wrong or behind a tag")
    if container not in CONTAINERS or subtype.startswith("DWVW"):
        return Refused(f"{container if container not in CONTAINERS else subtype} is not left to DALI")
    if header.channels > MOST_CHANNELS:
        return Refused(f"{header.channels} channels are not left to DALI")
    size = int(bytes_in_file + 8 * samples)  # all channels, and their mean
    if samples < 0 or size > BATCH_BYTES:
        return Refused(
            f"too long for DALI: {samples} samples announced, at most {BATCH_BYTES >> 20} MiB held"
        )
    return size


def _pipeline(dali: ModuleType, threads: int, largest: int) -> Any:
    fn, types = dali.fn, dali.types
    # BATCHES_AHEAD batches are scheduled by hand: a queue deeper than 1 would request several at once.
    pipeline = dali.Pipeline(largest, threads, device_id=None, prefetch_queue_depth=1, exec_dynamic=True)
    with pipeline:
        paths = fn.external_source(name="paths", dtype=types.UINT8, ndim=1)
        # A mapped file that shrinks while it is read kills the process; plain reads are also faster here.
        data = fn.io.file.read(paths, dont_use_mmap=True)
        channels, _ = fn.decoders.audio(data, dtype=types.FLOAT)
        pipeline.set_outputs(data, channels, fn.reductions.mean(channels, axes=[1]))
    pipeline.build()
    return pipeline


def _start(pipeline: Any, batch: _Batch) -> None:
    paths = [np.frombuffer(os.fsencode(item), np.uint8) for item in batch if isinstance(item, Path)]
    if paths:
        pipeline.feed_input("paths", paths)
        pipeline.schedule_run()


def _results(pipeline: Any, batch: _Batch) -> list[DaliClip | Refused]:
    decoded = _convert(*pipeline.outputs()) if any(isinstance(item, Path) for item in batch) else iter(())
    return [item if isinstance(item, Refused) else next(decoded) for item in batch]


def _convert(data: Any, channels: Any, mono: Any) -> Iterator[DaliClip]:
    for index in range(len(data)):
        yield DaliClip(
            np.asarray(np.from_dlpack(data[index]), np.uint8),
            torch.utils.dlpack.from_dlpack(channels[index]),
            torch.utils.dlpack.from_dlpack(mono[index]),
        )


def _reason(error: Exception) -> str:
    """The line of DALI's error message that gives the reason, without its C++ context."""
    line = str(error).rpartition("encountered:")[2].strip().partition("\n")[0]
    return _NOISE.sub("", line).rstrip(". ") or type(error).__name__
