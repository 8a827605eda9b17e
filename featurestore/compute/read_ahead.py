"""Decodes recordings ahead of the pipeline, in order, in a few threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING, TypeVar

from featurestore.compute.reader import ReadClip, ReadSettings, read_clip
from featurestore.compute.reading_order import split_by_recording
from featurestore.compute.segments import read_segments
from featurestore.plan.units import SourceClip
from pipelines.process import compute_alone

if TYPE_CHECKING:  # it loads torch
    from pipelines.dali import DaliClip, Refused

Finished = TypeVar("Finished")

AHEAD = 64
"""Clips decoded in advance: two batches."""

_NOT_LEFT_TO_DALI = "segments of recordings are not left to DALI"


def read_ahead(
    sources: Sequence[SourceClip], settings: ReadSettings, finish: Callable[[ReadClip], Finished]
) -> Generator[Finished]:
    """Read and decode recordings in the given order, up to :data:`AHEAD` of them in advance.

    Each thread passes the clips that it has read to ``finish``; the results keep the order. Neighbours that
    are segments of one recording are read together by one thread. An unusable recording is a
    :class:`ReadClip` with a problem, never an exception. Files that the decoder cannot read are read by
    soundfile; the clip's ``fallback`` gives the reason.
    """
    pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="clip", initializer=compute_alone)
    pending: deque[tuple[int, Future[list[Finished]]]] = deque()
    files = _decode_batches(sources, settings)

    def work(group: tuple[SourceClip, ...], file: DaliClip | Refused | None) -> list[Finished]:
        return [finish(read) for read in read_group(group, settings, file)]

    try:
        for group in split_by_recording(sources):
            file, *_ = [next(files) for _ in group]
            pending.append((len(group), pool.submit(work, group, file)))
            while sum(count for count, _ in pending) > AHEAD:
                yield from pending.popleft()[1].result()
        while pending:
            yield from pending.popleft()[1].result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        files.close()


def _decode_batches(
    sources: Sequence[SourceClip], settings: ReadSettings
) -> Generator[DaliClip | Refused | None]:
    """The result of a batch decoder for each recording; None if the thread decodes it itself."""
    if settings.decoder != "dali":
        yield from repeat(None, len(sources))
        return
    from pipelines.dali import Refused, dali_clips

    whole = [source.file for source in sources if not source.clip.is_segment]
    with closing(dali_clips(whole, settings.threads)) as decoded:
        for source in sources:
            yield Refused(_NOT_LEFT_TO_DALI) if source.clip.is_segment else next(decoded)


def read_group(
    group: Sequence[SourceClip], settings: ReadSettings, file: DaliClip | Refused | None = None
) -> Iterator[ReadClip]:
    """Read one of the groups of :func:`split_by_recording`; ``file`` as for :func:`read_clip`."""
    if not group[0].clip.is_segment:
        yield read_clip(group[0], settings, file)
        return
    for read in read_segments(group, settings):
        yield replace(read, fallback=_NOT_LEFT_TO_DALI) if file is not None else read
