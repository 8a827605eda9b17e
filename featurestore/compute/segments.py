"""Reads the segments of one recording, which is opened, hashed and decoded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from featurestore.compute.reader import (
    CHANGED,
    ReadClip,
    ReadSettings,
    judged_clip,
    memory_short,
    unreadable_clip,
)
from featurestore.plan.units import SourceClip
from pipelines.recording.source import ByteSource, FileSource, open_recording
from pipelines.segments import Segment, decode_segments


def read_segments(sources: Sequence[SourceClip], settings: ReadSettings) -> Iterator[ReadClip]:
    """Read clips that are segments of one recording, sorted by their ends; yields them in this order.

    What :func:`~featurestore.compute.reader.read_clip` says of a recording holds for each segment.
    """
    reads = _read(sources, settings)
    while True:
        with settings.stages.measure("decode"):
            read = next(reads, None)
        if read is None:
            return
        yield read


def _read(sources: Sequence[SourceClip], settings: ReadSettings) -> Iterator[ReadClip]:
    done = 0
    try:
        with open_recording(sources[0].file) as opened:
            for read in _judge(sources, opened, settings):
                yield read
                done += 1
    except OSError as error:
        yield from (unreadable_clip(source, error) for source in sources[done:])
    except MemoryError as error:
        raise memory_short(sources[0]) from error


def _judge(sources: Sequence[SourceClip], opened: ByteSource, settings: ReadSettings) -> Iterator[ReadClip]:
    if opened.sha256() != sources[0].audio_sha256:
        yield from (ReadClip(source, None, problem=CHANGED) for source in sources)
        return
    segments = [Segment(source.clip.start_s or 0.0, source.clip.end_s) for source in sources]
    for source, found in zip(sources, decode_segments(opened, segments, settings.audio), strict=True):
        if isinstance(opened, FileSource) and opened.has_changed():
            yield ReadClip(source, None, problem=CHANGED)
        else:
            yield judged_clip(source, found, settings)
