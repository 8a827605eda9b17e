"""Recordings decoded ahead of the pipeline, in order, by a few threads."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from typing import TypeVar

from featurestore.compute.stages import Stages
from featurestore.plan.units import SourceClip
from pipelines.dali import DaliClip, Refused, dali_clips
from pipelines.decode import Bytes, Decoded, Recording, UnusableRecordingError, decode
from pipelines.decoders import Decoder
from pipelines.process import compute_alone
from schemas.spec import AudioSpec

Finished = TypeVar("Finished")

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

    ``audio_sha256`` : of the bytes that were judged; None where they could not be read or were not the
    planned ones, so that the unit is not taken for finished by a later build.
    ``recording`` : what was decoded, or None for a bad one; its samples are cut to the pipeline's window.
    ``problem`` : why the recording is bad, or "".
    ``error`` : what the header of a bad recording told, where it had one.
    ``note`` : an oddity of the file that does not make it unusable.
    ``fallback`` : why the decoder that was asked for left the file to soundfile, or "".
    """

    source: SourceClip
    audio_sha256: str | None
    recording: Recording | None = None
    problem: str = ""
    error: UnusableRecordingError | None = None
    note: str = ""
    fallback: str = ""


@dataclass(frozen=True)
class Reading:
    """How recordings are read: ``threads`` at a time, cut to ``window`` samples after trimming."""

    audio: AudioSpec
    window: int
    threads: int
    decoder: Decoder
    stages: Stages


def read_ahead(
    sources: Sequence[SourceClip], reading: Reading, finish: Callable[[ReadClip], Finished]
) -> Generator[Finished]:
    """Read and decode recordings in the order given, up to :data:`AHEAD` of them in advance.

    Each thread calls ``finish`` with what it has read and goes on; the results come in order. A bad
    recording is a :class:`ReadClip` with its problem, never an exception. What the decoder cannot read,
    soundfile reads; the clip's ``fallback`` says so.
    """
    pool = ThreadPoolExecutor(reading.threads, thread_name_prefix="clip", initializer=compute_alone)
    pending: deque[Future[Finished]] = deque()
    opened = _opened(sources, reading)

    def work(source: SourceClip, file: DaliClip | Refused | None) -> Finished:
        return finish(read_clip(source, reading, file))

    try:
        for source, file in zip(sources, opened, strict=True):
            pending.append(pool.submit(work, source, file))
            if len(pending) > AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        opened.close()


def _opened(sources: Sequence[SourceClip], reading: Reading) -> Generator[DaliClip | Refused | None]:
    """What a decoder of whole batches gives for each recording; None where the thread is to read it."""
    if reading.decoder == "dali":
        yield from dali_clips([source.file for source in sources], reading.threads)
    else:
        yield from repeat(None, len(sources))


def read_clip(source: SourceClip, reading: Reading, file: DaliClip | Refused | None = None) -> ReadClip:
    """Read one recording. ``file`` : what DALI made of it; None: soundfile reads it."""
    with reading.stages.timed("decode"):
        if isinstance(file, DaliClip):
            decoded = Decoded(file.channels.numpy(), file.mono.numpy())
            return _judge(source, file.data.data, reading, decoded)
        try:
            data = source.file.read_bytes()
        except OSError as error:
            return ReadClip(source, None, problem=f"cannot be read: {error.strerror or error}")
        read = _judge(source, data, reading)
        return read if file is None else replace(read, fallback=file.reason)


def _judge(source: SourceClip, data: Bytes, reading: Reading, decoded: Decoded | None = None) -> ReadClip:
    """Check against the planned hash, decode and cut one recording to the window."""
    if hashlib.sha256(data).hexdigest() != source.audio_sha256:
        return ReadClip(source, None, problem="changed while the store was built; build again")
    try:
        recording = decode(data, reading.audio, decoded)
    except UnusableRecordingError as error:
        return ReadClip(source, source.audio_sha256, problem=str(error), error=error)
    kept = replace(recording, samples=recording.samples[: reading.window].copy())
    note = _container_note(source.file.suffix, recording.container)
    return ReadClip(source, source.audio_sha256, kept, note=note)


def _container_note(suffix: str, container: str) -> str:
    """What to say of a file whose content is of another kind than its name tells."""
    expected = _CONTAINERS.get(suffix.lower(), {container})
    return "" if container in expected else f"{container} data under a {suffix} name"
