"""Decodes the bytes of a recording to a mono waveform, or says why the recording is unusable."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from pipelines.foreign import explain_foreign
from pipelines.quality import Quality, measure_quality
from pipelines.quiet import quiet_libraries
from pipelines.trim import trim_bounds
from schemas.counts import choose_form
from schemas.errors import RecordingError
from schemas.spec import AudioSpec

SILENCE_PEAK = 1e-4
"""A recording whose loudest sample stays below this (−80 dB full scale) is marked as silent."""

LOUDEST_PEAK = 100.0
"""A recording with a sample beyond this (+40 dB full scale) is not audio within ±1."""

Bytes = bytes | memoryview
"""Bytes of a file, held by Python or by another decoder."""

_LOST_DATA = re.compile(r"^\s*data\s*:\s*(\d+)\s*\(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_SIZE = 0x7FFF0000
"""Programs that write WAV to a pipe announce a size from here to 2³² − 1, as they do not know the actual
size."""

_UNKNOWN_FRAMES = 2**40
"""More frames than any file has; FLAC written to a pipe does not announce their number."""


@dataclass(frozen=True)
class Recording:
    """A decoded recording.

    ``samples`` : (n,) float32, mono, at the sample rate of the specification; trimmed and scaled to a peak of
    1 if the specification says so, not yet cut or padded.

    ``quality`` : of the recording before trimming and scaling.

    ``duration_s``, ``sample_rate``, ``channels`` and ``container`` (``WAV``, ``FLAC``, ``AIFF``, … as named
    by libsndfile) describe the file.
    """

    samples: npt.NDArray[np.float32]
    quality: Quality
    duration_s: float
    sample_rate: int
    channels: int
    container: str


class UnusableRecordingError(RecordingError):
    """A recording is unusable; with the facts in its header, if it has one.

    ``setting`` : field of a recipe that would allow the recording, added to the message in parentheses.
    """

    def __init__(
        self, problem: str, header: soundfile.SoundFile | None = None, setting: str | None = None
    ) -> None:
        super().__init__(f"{problem} ({setting})" if setting else problem)
        self.problem = problem
        """The message without ``setting``, for readers who cannot change it."""
        self.setting = setting
        """Field of a recipe that would allow the recording; None if none would."""
        known = header is not None and header.samplerate > 0 and header.frames < _UNKNOWN_FRAMES
        self.duration_s = header.frames / header.samplerate if header is not None and known else None
        self.sample_rate = int(header.samplerate) if header is not None else None
        self.channels = int(header.channels) if header is not None else None

    def without_setting(self) -> UnusableRecordingError:
        """The same error for readers who cannot change a recipe, such as those of a prediction."""
        plain = UnusableRecordingError(self.problem)
        plain.duration_s, plain.sample_rate, plain.channels = self.duration_s, self.sample_rate, self.channels
        return plain


@dataclass(frozen=True)
class Decoded:
    """Float32 samples of a file at its own rate: ``channels`` (n, channel), and ``mono`` (n,), their mean."""

    channels: npt.NDArray[np.float32]
    mono: npt.NDArray[np.float32]


def decode(data: Bytes, audio: AudioSpec, decoded: Decoded | None = None) -> Recording:
    """Decode a recording: mean of the channels, soxr HQ resampling, quality, trimming.

    ``data`` : a file in any of :data:`schemas.formats.AUDIO_FORMATS`.

    ``decoded`` : the samples, if another decoder has read them from the same bytes; libsndfile then only
    checks the header.

    The container is detected from the bytes, never from a file name. Raises :class:`UnusableRecordingError`,
    with a ``problem`` for the manifest, if the recording is empty, not audio, truncated, too short, too long,
    silent or far too loud, or has samples that are not finite. A truncated MP3 is read as far as possible, as
    its header does not reliably give its length.
    """
    if not len(data):
        raise UnusableRecordingError("empty file (0 bytes)")
    try:
        with quiet_libraries(), soundfile.SoundFile(_MemoryFile(data)) as file:
            _check_header(data, file, audio)
            channels = file.read(dtype="float32", always_2d=True) if decoded is None else decoded.channels
            _check_samples(channels, file, audio)
            rate, duration = int(file.samplerate), len(channels) / file.samplerate
            container = str(file.format)
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError, IndexError) as error:
        # libsndfile and its binding raise several kinds of errors for damaged bytes.
        reason = getattr(error, "error_string", error)
        raise UnusableRecordingError(explain_foreign(data) or f"not readable as audio: {reason}") from error
    mono = _mean(channels) if decoded is None else decoded.mono
    if rate != audio.sample_rate:
        mono = soxr.resample(mono, rate, audio.sample_rate, quality="HQ")
    left = float(np.abs(mono).max(initial=0.0))
    if left < SILENCE_PEAK:
        # The channels cancel out, or the sound is above half the new rate: only rounding errors remain.
        raise UnusableRecordingError(
            f"silent as mono at {audio.sample_rate} Hz: the loudest sample is {left:.1g} of full scale", file
        )
    quality = measure_quality(channels, mono, audio.sample_rate)
    return Recording(prepare(mono, audio), quality, duration, rate, channels.shape[1], container)


def prepare(mono: npt.NDArray[np.float32], audio: AudioSpec) -> npt.NDArray[np.float32]:
    """Trim and scale a waveform (n,) that is not silent, as the specification says."""
    if audio.trim_db is not None:
        start, stop = trim_bounds(mono, audio.trim_db)
        mono = mono[start:stop]
    if audio.normalise == "peak":
        mono = mono / np.abs(mono).max()
    return np.ascontiguousarray(mono)


def _mean(channels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1, dtype=np.float32)


class _MemoryFile(io.BytesIO):
    """Bytes whose position does not change when a damaged header seeks to before the start."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self.getbuffer().nbytes}[whence]
        return super().seek(start + offset) if start + offset >= 0 else self.tell()


def _check_header(data: Bytes, file: soundfile.SoundFile, audio: AudioSpec) -> None:
    lost = _LOST_DATA.search(file.extra_info)
    if lost and int(lost[1]) < _UNKNOWN_SIZE and int(lost[1]) > int(lost[2]):
        raise UnusableRecordingError(
            f"truncated: the header announces {lost[1]} bytes of samples, the file holds {lost[2]}", file
        )
    announced = _announced_size(data)
    if announced is not None and announced > len(data) + 1:  # + 1: a missing pad byte is harmless
        raise UnusableRecordingError(
            f"truncated: the header announces {announced} bytes, the file has {len(data)}", file
        )
    if file.frames >= _UNKNOWN_FRAMES:
        raise UnusableRecordingError(
            "the header does not tell its length (a FLAC written to a pipe?); write the file anew", file
        )
    _check_length(file.frames, file, audio)


def _announced_size(data: Bytes) -> int | None:
    """Size that an AIFF, RF64 or W64 header gives for the whole file; None for other containers."""
    head = bytes(data[:28])
    match head[:4]:
        case b"FORM":
            return 8 + int.from_bytes(head[4:8], "big")
        case b"RF64" if head[12:16] == b"ds64":
            return 8 + int.from_bytes(head[20:28], "little")
        case b"riff":
            return int.from_bytes(head[16:24], "little")
    return None


def _check_length(frames: int, file: soundfile.SoundFile, audio: AudioSpec) -> None:
    if frames == 0:
        raise UnusableRecordingError("no samples (0 s)", file)
    seconds = frames / file.samplerate
    if seconds > audio.max_duration_s:
        raise UnusableRecordingError(
            f"{seconds:.6g} s long; the limit is {audio.max_duration_s:g} s",
            file,
            "audio.max_duration_s",
        )
    if seconds < audio.min_duration_s:
        raise UnusableRecordingError(
            f"{frames} {choose_form(frames, 'sample')} ({seconds * 1e3:.5g} ms); "
            f"the shortest usable is {audio.min_duration_s:g} s",
            file,
            "audio.min_duration_s",
        )


def _check_samples(channels: npt.NDArray[np.float32], file: soundfile.SoundFile, audio: AudioSpec) -> None:
    if len(channels) < file.frames and file.format != "MP3":  # MP3 headers only estimate
        raise UnusableRecordingError(f"truncated: {len(channels)} of {file.frames} samples readable", file)
    _check_length(len(channels), file, audio)
    peak = max(float(channels.max()), -float(channels.min()))  # NaN if any sample is NaN
    if not np.isfinite(peak):
        broken = int(np.count_nonzero(~np.isfinite(channels)))
        samples = "sample is" if broken == 1 else "samples are"
        raise UnusableRecordingError(f"{broken} {samples} NaN or infinite", file)
    if peak < SILENCE_PEAK:
        raise UnusableRecordingError(f"silent: the loudest sample is {peak:.1g} of full scale", file)
    if peak > LOUDEST_PEAK:
        raise UnusableRecordingError(
            f"the loudest sample is {peak:.3g} times full scale; scale the samples to ±1", file
        )
