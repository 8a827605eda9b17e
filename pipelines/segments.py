"""Decodes parts of a recording in one pass: ``Segment`` → what :func:`pipelines.decode.decode` gives.

The file is read once, from its start, and only as far as the last segment needs. A segment is finished when
its last sample has been read, so only segments that overlap are in memory together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipelines.decode import (
    Recording,
    UnusableRecordingError,
    check_length,
    check_readable,
    check_whole,
    finish_segment,
    lost_samples,
    open_usable,
)
from pipelines.recording.sound_file import SamplesLostError, SoundFile
from pipelines.recording.source import ByteSource
from schemas.spec import AudioSpec

OVERSHOOT_S = 0.1
"""A segment may end this many seconds after its recording, because times of annotations are rounded."""

_BLOCK_SAMPLES = 1 << 18
"""Samples of all channels read at once: 1 MB."""


@dataclass(frozen=True)
class Segment:
    """A part of a recording, in seconds from its start; ``end_s`` None: to the end of the recording."""

    start_s: float
    end_s: float | None

    @property
    def last_s(self) -> float:
        """``end_s``, or infinity."""
        return np.inf if self.end_s is None else self.end_s


@dataclass(frozen=True)
class SegmentHeader:
    """Length of a segment in samples per channel, and the format of its file."""

    frames: int
    sample_rate: int
    channels: int


def decode_segments(
    source: ByteSource, segments: Sequence[Segment], audio: AudioSpec
) -> Iterator[Recording | UnusableRecordingError]:
    """Decode segments, which are sorted by their ends; yields one result each, in their order.

    Sample ``i`` of a file is in a segment if round(start · rate) ≤ i < round(end · rate). The recording and
    its quality are those of a file with only these samples; limits of durations apply to the segment. An
    unusable segment, or one outside the recording, is yielded as an error. Raises ``OSError`` if the source
    cannot be read, and ``MemoryError``.
    """
    done = 0
    try:
        with open_usable(source) as file:
            note = check_whole(file)
            for cut in _cut(file, segments, audio):
                yield _judge(cut, file, note, audio)
                done += 1
    except UnusableRecordingError as error:
        for _ in segments[done:]:
            yield error


@dataclass
class _Cut:
    """A segment while it is read; ``start`` and ``stop`` are samples of the file, ``stop`` None: its end."""

    segment: Segment
    start: int
    stop: int | None
    parts: list[npt.NDArray[np.float32]] = field(default_factory=list)
    count: int = 0
    """Samples per channel between start and stop that were read, whether or not they are kept."""
    total: int | None = None
    """Samples of the file, if it ended before the segment."""

    def take(self, block: npt.NDArray[np.float32], first: int, most: int) -> None:
        """Take the segment's part of a block that begins at sample ``first``; keep about ``most`` samples."""
        start = max(self.start - first, 0)
        stop = len(block) if self.stop is None else min(self.stop - first, len(block))
        if start < stop:
            if self.count <= most:
                self.parts.append(block[start:stop].copy())
            self.count += stop - start


def _cut(file: SoundFile, segments: Sequence[Segment], audio: AudioSpec) -> Iterator[_Cut]:
    """Read the file; yields each segment once it is read. Raises :class:`UnusableRecordingError`."""
    rate = file.sample_rate
    waiting = deque(
        _Cut(each, round(each.start_s * rate), None if each.end_s is None else round(each.end_s * rate))
        for each in segments
    )
    most = int(audio.max_duration_s * rate)
    first = 0
    try:
        for block in file.blocks(_BLOCK_SAMPLES):
            for cut in waiting:
                cut.take(block, first, most)
            first += len(block)
            while waiting and waiting[0].stop is not None and waiting[0].stop <= first:
                yield waiting.popleft()
            if not waiting:
                return
    except SamplesLostError as error:
        raise lost_samples(error, file) from error
    check_readable(first, file)
    for cut in waiting:
        cut.total = first
        yield cut


def _judge(cut: _Cut, file: SoundFile, note: str, audio: AudioSpec) -> Recording | UnusableRecordingError:
    header = SegmentHeader(cut.count, file.sample_rate, file.channels)
    try:
        notes = filter(None, (note, _place(cut, header)))
        check_length(cut.count, header, audio)
        channels = np.concatenate(cut.parts)
        cut.parts.clear()
        return finish_segment(channels, header, file.container, "; ".join(notes), audio)
    except UnusableRecordingError as error:
        return error


def _place(cut: _Cut, header: SegmentHeader) -> str:
    """Check that the segment is within its recording; returns a note or ""."""
    if cut.total is None:
        return ""
    seconds = cut.total / header.sample_rate
    if cut.start >= cut.total:
        raise UnusableRecordingError(
            f"the segment starts at {cut.segment.start_s:g} s, but its recording is only {seconds:.6g} s "
            f"long",
            header,
        )
    if cut.segment.end_s is None or cut.stop == cut.total:
        return ""
    if cut.segment.end_s - seconds > OVERSHOOT_S:
        raise UnusableRecordingError(
            f"the segment ends at {cut.segment.end_s:g} s, but its recording is only {seconds:.6g} s long",
            header,
        )
    return f"the segment ends {cut.segment.end_s - seconds:.2g} s after its recording, and is cut there"
