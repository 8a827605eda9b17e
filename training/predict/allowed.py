"""What a server accepts of a recording, decided before its samples are decoded: length and channels."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.recording.sound_file import UNKNOWN_FRAMES, SamplesLostError, SoundFile, SoundFileError
from pipelines.recording.source import MemorySource
from schemas.errors import RecordingError

_BLOCK_SAMPLES = 1 << 18


@dataclass(frozen=True)
class Allowed:
    """Longest recording, and who says so, such as ``this page``."""

    max_seconds: float
    by: str

    @property
    def most_samples(self) -> int:
        """Most samples of a file over all channels: stereo at 96 kHz for the longest duration."""
        return round(self.max_seconds * 96_000 * 2)

    def require(self, content: bytes) -> float | None:
        """Return the seconds that the header of a file announces; None if it announces none.

        Raises :class:`RecordingError` if that is too much: a few megabytes of a file can hold many gigabytes
        of samples. What else is wrong with a file is reported by those who decode it.
        """
        try:
            with SoundFile(MemorySource(content)) as header:
                frames, channels, rate = header.frames, header.channels, header.sample_rate
        except SoundFileError:
            return None
        if frames >= UNKNOWN_FRAMES or not rate:
            return None
        if frames / rate > self.max_seconds:
            raise self.too_long(frames / rate)
        if frames * channels > self.most_samples:
            raise RecordingError(
                f"{channels} channels at {rate} Hz for {frames / rate:.4g} s are too much "
                f"for {self.by}; send the recording as mono at 48 kHz or less"
            )
        return frames / rate

    def require_counted(self, content: bytes) -> float | None:
        """As :meth:`require`, and of a file that announces no length, count the samples up to the limit."""
        announced = self.require(content)
        if announced is not None:
            return announced
        counted = 0
        try:
            with SoundFile(MemorySource(content)) as file:
                if not file.sample_rate:
                    return None
                for block in file.blocks(_BLOCK_SAMPLES):
                    counted += len(block)
                    if counted > self.max_seconds * file.sample_rate:
                        raise self.too_long(self.max_seconds, at_least=True)
                return counted / file.sample_rate
        except (SoundFileError, SamplesLostError):
            return None

    def too_long(self, seconds: float, *, at_least: bool = False) -> RecordingError:
        """The error for a recording of this many seconds."""
        more = "more than " if at_least else ""
        return RecordingError(
            f"{more}{seconds:.4g} s long, but {self.by} accepts at most {self.max_seconds:g} s; "
            "send a part of it"
        )
