"""Reads one recording: compares it with its planned hash, decodes it and cuts it to the window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from featurestore.compute.stages import Stages
from featurestore.plan.units import SourceClip
from pipelines.decode import Decoded, Recording, UnusableRecordingError, decode, require_usable_header
from pipelines.decoders import Decoder
from pipelines.recording.source import ByteSource, FileSource, MemorySource, open_recording
from schemas.errors import MemoryShortError
from schemas.files.formats import CONTAINERS
from schemas.spec import AudioSpec

if TYPE_CHECKING:  # it loads torch
    from pipelines.dali import DaliClip, Refused

CHANGED = "changed while the store was built; build again"


@dataclass(frozen=True)
class ReadClip:
    """A decoded recording, or the problem that makes it unusable.

    ``audio_sha256`` : of the bytes that were read. None if they could not be read or were not the planned
    ones; a later build then does not consider the unit finished.
    ``recording`` : the decoded audio, as much of it as the pipeline needs; None if it is unusable.
    ``problem`` : why the recording is unusable, or "".
    ``error`` : the decoding error of an unusable recording, with the facts of its header if it had one.
    ``note`` : an oddity of the file that does not make it unusable.
    ``fallback`` : why soundfile read the file instead of the requested decoder, or "".
    """

    source: SourceClip
    audio_sha256: str | None
    recording: Recording | None = None
    problem: str = ""
    error: UnusableRecordingError | None = None
    note: str = ""
    fallback: str = ""


@dataclass(frozen=True)
class ReadSettings:
    """How to read recordings: ``threads`` at a time, trimmed, then cut to ``window`` samples.

    ``untrimmed`` : samples that are kept of each recording before trimming; 0 if no view needs them.
    """

    audio: AudioSpec
    window: int
    threads: int
    decoder: Decoder
    stages: Stages
    untrimmed: int = 0


def read_clip(source: SourceClip, settings: ReadSettings, file: DaliClip | Refused | None = None) -> ReadClip:
    """Read one recording. ``file`` : DALI's result for it; None: soundfile reads it."""
    with settings.stages.measure("decode"):
        try:
            if file is not None:
                return _read_from_dali(source, settings, file)
            with open_recording(source.file) as opened:
                return _judge(source, opened, settings)
        except OSError as error:
            return unreadable_clip(source, error)
        except MemoryError as error:
            raise memory_short(source) from error


def unreadable_clip(source: SourceClip, error: OSError) -> ReadClip:
    """A clip whose recording cannot be read."""
    return ReadClip(source, None, problem=f"cannot be read: {error.strerror or error}")


def memory_short(source: SourceClip) -> MemoryShortError:
    """The error if the memory does not suffice to decode a recording."""
    return MemoryShortError(
        f"not enough memory to decode '{source.file}'; free some, or use fewer --jobs; build again"
    )


def _read_from_dali(source: SourceClip, settings: ReadSettings, file: DaliClip | Refused) -> ReadClip:
    from pipelines.dali import DaliClip

    if isinstance(file, DaliClip):
        decoded = Decoded(file.channels.numpy(), file.mono.numpy())
        return _judge(source, MemorySource(file.data.data), settings, decoded)
    with open_recording(source.file) as opened:
        return replace(_judge(source, opened, settings), fallback=file.reason)


def _judge(
    source: SourceClip, opened: ByteSource, settings: ReadSettings, decoded: Decoded | None = None
) -> ReadClip:
    """Compare one recording with its planned hash, decode it and cut it to the window.

    A large recording that its header rules out has the planned hash: all of it is not read for that.
    """
    try:
        if isinstance(opened, FileSource):
            require_usable_header(opened, settings.audio)
        if opened.sha256() != source.audio_sha256:
            return ReadClip(source, None, problem=CHANGED)
        recording = decode(opened, settings.audio, decoded)
    except UnusableRecordingError as error:
        return judged_clip(source, error, settings)
    if isinstance(opened, FileSource) and opened.has_changed():
        return ReadClip(source, None, problem=CHANGED)
    return judged_clip(source, recording, settings)


def judged_clip(
    source: SourceClip, recording: Recording | UnusableRecordingError, settings: ReadSettings
) -> ReadClip:
    """A clip whose recording was decoded, cut to the window, or found unusable."""
    if isinstance(recording, UnusableRecordingError):
        return ReadClip(source, source.audio_sha256, problem=str(recording), error=recording)
    kept = replace(
        recording,
        samples=recording.samples[: settings.window].copy(),
        untrimmed=recording.untrimmed[: settings.untrimmed].copy(),
    )
    note = "; ".join(filter(None, (_container_note(source.file.suffix, recording.container), recording.note)))
    return ReadClip(source, source.audio_sha256, kept, note=note)


def _container_note(suffix: str, container: str) -> str:
    """A note on a file whose content does not match its name; "" if it does."""
    expected = CONTAINERS.get(suffix.lower(), {container})
    return "" if container in expected else f"{container} data under a {suffix} name"
