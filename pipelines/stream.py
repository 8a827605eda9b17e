"""Reads a recording in blocks, so that memory does not grow with its length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from pipelines.decode import (
    UnusableRecordingError,
    check_count,
    check_header,
    check_levels,
    check_mono,
    mean_of_channels,
    open_usable,
)
from pipelines.recording.sound_file import UNKNOWN_FRAMES, SamplesLostError
from pipelines.recording.source import RecordingFile, opened
from schemas.spec import AudioSpec

_BLOCK_SAMPLES = 1 << 18
"""Samples of all channels in a block: 1 MB."""


def find_duration(recording: RecordingFile) -> float | None:
    """Seconds that the header gives, or those that are counted by decoding if it gives none.

    None if there is no such file, or no samples can be read from it.
    """
    try:
        with opened(recording) as source, open_usable(source) as file:
            frames = file.frames
            if frames >= UNKNOWN_FRAMES:
                frames = sum(len(block) for block in file.blocks(_BLOCK_SAMPLES))
            return frames / file.sample_rate if frames else None
    except (UnusableRecordingError, SamplesLostError, OSError):
        return None


@dataclass(frozen=True)
class Stream:
    """A recording that was decoded once and found usable, to be decoded again in blocks.

    ``rate`` : of the file, Hz. ``duration_s`` : of the samples that it really holds. ``note`` : as that of
    :class:`pipelines.decode.Recording`.
    """

    recording: RecordingFile
    rate: int
    duration_s: float
    note: str

    @classmethod
    def open(cls, recording: RecordingFile, audio: AudioSpec) -> Self:
        """Decode a recording once, however long it is, and check what :func:`pipelines.decode.decode` checks.

        Raises :class:`UnusableRecordingError`, and OSError if the file cannot be read.
        """
        unlimited = audio.model_copy(update={"max_duration_s": math.inf})
        frames, peak, mono_peak, broken = 0, 0.0, 0.0, 0
        with opened(recording) as source, open_usable(source) as file:
            note = check_header(file, unlimited)
            try:
                for block in file.blocks(_BLOCK_SAMPLES):
                    frames += len(block)
                    broken += int(np.count_nonzero(~np.isfinite(block)))
                    peak = max(peak, float(np.abs(block).max()))
                    mono_peak = max(mono_peak, float(np.abs(mean_of_channels(block)).max()))
            except SamplesLostError as error:
                raise UnusableRecordingError(
                    f"truncated or damaged: {error.readable:,} samples readable", file
                ) from error
            check_count(frames, file, unlimited)
            check_levels(peak, broken, file)
            check_mono(mono_peak, file.sample_rate, file)
            return cls(recording, file.sample_rate, frames / file.sample_rate, note)

    def blocks(self) -> Iterator[npt.NDArray[np.float32]]:
        """Samples (n,) float32, the mean of the channels, block by block."""
        with opened(self.recording) as source, open_usable(source) as file:
            for block in file.blocks(_BLOCK_SAMPLES):
                yield mean_of_channels(block)
