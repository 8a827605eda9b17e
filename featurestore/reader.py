"""Recordings decoded ahead of the pipeline, in order, by a few threads."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurestore.plan import SourceClip
from pipelines.decode import UnusableRecordingError, decode
from schemas.spec import AudioSpec

_CONTAINERS = {
    ".wav": {"WAV", "WAVEX", "RF64", "W64"},
    ".flac": {"FLAC"},
    ".ogg": {"OGG"},
    ".mp3": {"MP3"},
    ".aif": {"AIFF"},
    ".aiff": {"AIFF"},
}
"""File name suffix → the containers, in libsndfile's words, that one expects under it."""

AHEAD = 64
"""Clips decoded before they are asked for: two batches."""


@dataclass(frozen=True)
class ReadClip:
    """A recording as the pipeline takes it, or the problem that makes it unusable.

    ``samples``      : (n,) float32, at most the pipeline's window, or None for a bad recording.
    ``audio_sha256`` : of the bytes that were judged; None where they could not be read or were not the
    planned ones, so that the unit is not taken for finished by a later build.
    """

    source: SourceClip
    audio_sha256: str | None
    samples: npt.NDArray[np.float32] | None
    problem: str
    note: str
    """An oddity of the file that does not make it unusable."""
    duration_s: float | None
    sample_rate: int | None
    channels: int | None


def read_ahead(
    sources: Iterable[SourceClip], audio: AudioSpec, window: int, threads: int
) -> Generator[ReadClip]:
    """Decode recordings in the order given, up to :data:`AHEAD` of them in advance.

    A bad recording comes out as a :class:`ReadClip` with its problem, never as an exception.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    pending: deque[Future[ReadClip]] = deque()
    try:
        for source in sources:
            pending.append(pool.submit(read_clip, source, audio, window))
            if len(pending) > AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def read_clip(source: SourceClip, audio: AudioSpec, window: int) -> ReadClip:
    """Read, check against the planned hash, decode and cut one recording to ``window`` samples."""
    try:
        data = source.file.read_bytes()
    except OSError as error:
        return ReadClip(
            source, None, None, f"cannot be read: {error.strerror or error}", "", None, None, None
        )
    if hashlib.sha256(data).hexdigest() != source.audio_sha256:
        return ReadClip(
            source, None, None, "changed while the store was built; build again", "", None, None, None
        )
    try:
        recording = decode(data, audio)
    except UnusableRecordingError as error:
        return ReadClip(
            source,
            source.audio_sha256,
            None,
            str(error),
            "",
            error.duration_s,
            error.sample_rate,
            error.channels,
        )
    return ReadClip(
        source,
        source.audio_sha256,
        recording.samples[:window].copy(),
        "",
        _container_note(source.file.suffix, recording.container),
        recording.duration_s,
        recording.sample_rate,
        recording.channels,
    )


def _container_note(suffix: str, container: str) -> str:
    """What to say of a file whose content is of another kind than its name tells."""
    expected = _CONTAINERS.get(suffix.lower(), {container})
    return "" if container in expected else f"{container} data under a {suffix} name"
