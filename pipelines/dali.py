"""Recordings read, decoded and mixed to mono by NVIDIA DALI ahead of need, handed to torch without a copy."""

from __future__ import annotations

import importlib
import os
import re
import stat
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from schemas.errors import UsageError

AHEAD = 2
"""Batches that DALI works on while the caller uses the one before."""

BATCH_BYTES = 128 * 2**20
"""Most that one batch holds: file bytes and float32 samples of all channels, as the headers announce them."""

CONTAINERS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "OGG"})
"""Containers, in libsndfile's words, in which DALI gives the samples that soundfile gives, or an error. Not
FLAC: of 400 copies of two recordings with one flipped bit each, all of which soundfile refuses, DALI 2.4 gave
27 with silence in place of the damaged frame, and no error. Nor DWVW in AIFF, which soundfile refuses."""

_HEADER_ERRORS = (soundfile.SoundFileError, RuntimeError, ValueError, TypeError, IndexError)
_DALI_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, ArithmeticError, MemoryError)
"""What DALI's C++ exceptions become in Python: damaged headers raise several kinds."""

_NOISE = re.compile(r'^.*(Assert on ".*" failed: |Error decoding (audio )?file \S*\. *)')


@dataclass(frozen=True)
class DaliClip:
    """A decoded recording. Its arrays share DALI's memory; holding one holds its whole batch's.

    ``data`` : (bytes,) uint8, read-only, the file as DALI read it. ``channels`` : (n, channel) float32 and
    ``mono`` : (n,) float32, their mean, at the file's own rate. Nothing is judged yet: they may be empty,
    silent, truncated or hold NaN.
    """

    data: npt.NDArray[np.uint8]
    channels: torch.Tensor
    mono: torch.Tensor


@dataclass(frozen=True)
class Refused:
    """A file that DALI cannot read, decode or hold, with the reason in one short sentence."""

    reason: str


_Batch = list[Path | Refused]


def dali_clips(files: Sequence[Path], threads: int, batch: int = 32) -> Generator[DaliClip | Refused]:
    """Read, decode and down-mix files on the CPU by DALI; one result for each file, in the order given.

    At most ``2 + AHEAD`` batches, each of ``batch`` files or :data:`BATCH_BYTES`, are in memory at a time,
    besides those whose clips the caller holds. A file that DALI fails on comes out as :class:`Refused`, and
    its neighbours as clips. Nothing is resampled: DALI's resampling aliases. Closing the generator ends
    DALI's threads; clips given stay valid. Raises UsageError at the call where DALI is not installed.
    """
    return _clips(require_dali(), _batches(files, batch), threads, batch)


def require_dali() -> ModuleType:
    """The module ``nvidia.dali``. Raises :class:`UsageError` with the command that installs it."""
    try:
        return importlib.import_module("nvidia.dali")
    except ImportError as error:
        raise UsageError(
            "decoding by DALI needs NVIDIA DALI, which is not installed: pip install nvidia-dali-cuda130"
        ) from error


def _clips(
    dali: ModuleType, batches: Iterator[_Batch], threads: int, largest: int
) -> Generator[DaliClip | Refused]:
    pipeline = _pipeline(dali, threads, largest)
    under_way: deque[_Batch] = deque()
    again: deque[_Batch] = deque()
    while True:
        while len(under_way) <= AHEAD and (batch := again.popleft() if again else next(batches, [])):
            _start(pipeline, batch)
            under_way.append(batch)
        if not under_way:
            return
        batch = under_way.popleft()
        try:
            results = _results(pipeline, batch)
        except _DALI_ERRORS as error:
            # The pipeline is invalid now, with all that was under way, and does not tell which file it was.
            pipeline = _pipeline(dali, threads, largest)
            again.extendleft(reversed(under_way))
            under_way.clear()
            if len(batch) > 1:
                again.extendleft([item] for item in reversed(batch))
                continue
            results = [Refused(_reason(error))]
        yield from results


def _batches(files: Sequence[Path], largest: int) -> Iterator[_Batch]:
    """Lots of files that headers allow to give to DALI, with the refusals in their places."""
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
    """Bytes that the file and its samples take, as its header tells, or why DALI is not to see the file.

    DALI believes a header: one that announces 2³⁰ samples costs it seconds and gigabytes before it fails.
    """
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            return Refused("not a regular file")
        with soundfile.SoundFile(os.fsencode(file)) as header:
            container, subtype = header.format, header.subtype
            samples = header.frames * header.channels
    except OSError as error:
        return Refused(error.strerror or str(error))
    except _HEADER_ERRORS as error:
        return Refused(str(getattr(error, "error_string", error)).rstrip("."))
    if container not in CONTAINERS or subtype.startswith("DWVW"):
        return Refused(f"{container if container not in CONTAINERS else subtype} is not left to DALI")
    size = int(status.st_size + 8 * samples)  # all channels, and their mean
    if samples < 0 or size > BATCH_BYTES:
        return Refused(
            f"too long for DALI: {samples} samples announced, at most {BATCH_BYTES >> 20} MiB held"
        )
    return size


def _pipeline(dali: ModuleType, threads: int, largest: int) -> Any:
    fn, types = dali.fn, dali.types
    # Batches are scheduled by hand, AHEAD of them: a queue deeper than 1 would ask for several at once.
    pipeline = dali.Pipeline(largest, threads, device_id=None, prefetch_queue_depth=1, exec_dynamic=True)
    with pipeline:
        paths = fn.external_source(name="paths", dtype=types.UINT8, ndim=1)
        # A mapped file that shrinks while it is read ends the process; plain reads are faster here, too.
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
    decoded = _decoded(*pipeline.outputs()) if any(isinstance(item, Path) for item in batch) else iter(())
    return [item if isinstance(item, Refused) else next(decoded) for item in batch]


def _decoded(data: Any, channels: Any, mono: Any) -> Iterator[DaliClip]:
    for place in range(len(data)):
        yield DaliClip(
            np.asarray(np.from_dlpack(data[place]), np.uint8),
            torch.utils.dlpack.from_dlpack(channels[place]),
            torch.utils.dlpack.from_dlpack(mono[place]),
        )


def _reason(error: Exception) -> str:
    """The line of DALI's report that says what happened, without its C++ context."""
    line = str(error).rpartition("encountered:")[2].strip().partition("\n")[0]
    return _NOISE.sub("", line).rstrip(". ") or type(error).__name__
