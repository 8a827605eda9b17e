"""Decodes the bytes of a recording to a mono waveform, or says why the recording is unusable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import soxr

from pipelines.foreign import explain_foreign
from pipelines.quality import Quality, measure_quality
from pipelines.recording.containers import examine
from pipelines.recording.lengths import compare_lengths
from pipelines.recording.sound_file import UNKNOWN_FRAMES, SamplesLostError, SoundFile, SoundFileError
from pipelines.recording.source import Bytes, ByteSource, MemorySource
from pipelines.trim import trim_bounds
from schemas.errors import RecordingError
from schemas.messages.counts import choose_form
from schemas.spec import AudioSpec

SILENCE_PEAK = 1e-4
"""A recording whose loudest sample stays below this (−80 dB full scale) is marked as silent."""

LOUDEST_PEAK = 100.0
"""A recording with a sample beyond this (+40 dB full scale) is not audio within ±1."""


class Header(Protocol):
    """What is known of a recording, or of a part of it, before or while it is decoded."""

    @property
    def frames(self) -> int:
        """Samples per channel, or :data:`UNKNOWN_FRAMES` and more."""

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""

    @property
    def channels(self) -> int:
        """Number of channels."""


@dataclass(frozen=True)
class DecodedSound:
    """The sound of a recording.

    ``samples`` : (n,) float32, mono, at the sample rate of the specification; trimmed and scaled to a peak of
    1 if the specification says so, not yet cut or padded.
    ``untrimmed`` : (m,) float32, the same sound at the same scale before trimming; ``samples`` is part of it
    and shares its memory.

    ``duration_s``, ``sample_rate``, ``channels`` and ``container`` (``WAV``, ``FLAC``, ``AIFF``, … as named
    by libsndfile) describe the file. ``note`` : an oddity of the file that does not make it unusable, or "".
    """

    samples: npt.NDArray[np.float32]
    untrimmed: npt.NDArray[np.float32]
    duration_s: float
    sample_rate: int
    channels: int
    container: str
    note: str = ""


@dataclass(frozen=True)
class Recording(DecodedSound):
    """A decoded recording; ``quality`` : before trimming and scaling."""

    quality: Quality = field(kw_only=True)


class UnusableRecordingError(RecordingError):
    """A recording is unusable; with the facts in its header, if it has one.

    ``setting`` : field of a recipe that would allow the recording, added to the message in parentheses.
    """

    def __init__(self, problem: str, header: Header | None = None, setting: str | None = None) -> None:
        super().__init__(f"{problem} ({setting})" if setting else problem)
        self.problem = problem
        """The message without ``setting``, for readers who cannot change it."""
        self.setting = setting
        """Field of a recipe that would allow the recording; None if none would."""
        known = header is not None and header.sample_rate > 0 and header.frames < UNKNOWN_FRAMES
        self.duration_s = header.frames / header.sample_rate if header is not None and known else None
        self.sample_rate = header.sample_rate if header is not None else None
        self.channels = header.channels if header is not None else None

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


def decode(data: Bytes | ByteSource, audio: AudioSpec, decoded: Decoded | None = None) -> Recording:
    """Decode a recording: mean of the channels, soxr HQ resampling, quality, trimming.

    ``data`` : the bytes of a file in any of :data:`schemas.files.formats.AUDIO_FORMATS`, or a source of
    them, of which only what is needed is read.
    ``decoded`` : the samples, if another decoder has read them from the same bytes; libsndfile then only
    checks the header.

    The container is detected from the bytes, never from a file name. Raises :class:`UnusableRecordingError`,
    with a ``problem`` for the manifest, if the recording is empty, not audio, truncated, too short, too long,
    silent or far too loud, or has samples that are not finite; ``MemoryError``; and ``OSError`` if the source
    cannot be read. What the header rules out is not read any further. A truncated MP3 is read as far as
    possible, as its header does not reliably give its length.
    """
    return _decode(data, audio, decoded).measured(audio)


def decode_sound(data: Bytes | ByteSource, audio: AudioSpec) -> DecodedSound:
    """As :func:`decode`, without measuring the quality, which a prediction does not need."""
    return _decode(data, audio, None).sound


@dataclass(frozen=True)
class _Found:
    """A sound, the file's ``channels`` (n, channel), and ``mono`` (m,) before trimming and scaling."""

    sound: DecodedSound
    channels: npt.NDArray[np.float32]
    mono: npt.NDArray[np.float32]

    def measured(self, audio: AudioSpec) -> Recording:
        """The sound with its quality."""
        sound = self.sound
        return Recording(
            sound.samples,
            sound.untrimmed,
            sound.duration_s,
            sound.sample_rate,
            sound.channels,
            sound.container,
            sound.note,
            quality=measure_quality(self.channels, self.mono, audio.sample_rate),
        )


def _decode(data: Bytes | ByteSource, audio: AudioSpec, decoded: Decoded | None) -> _Found:
    source = data if isinstance(data, ByteSource) else MemorySource(data)
    with open_usable(source) as file:
        note = check_header(file, audio)
        channels = _read(file, audio) if decoded is None else decoded.channels[: file.frames]
        check_count(len(channels), file, audio)
        _check_samples(channels, file)
    mono = mean_of_channels(channels) if decoded is None else decoded.mono[: file.frames]
    return _finish(channels, mono, file, file.container, note, audio)


def finish_segment(
    channels: npt.NDArray[np.float32], header: Header, container: str, note: str, audio: AudioSpec
) -> Recording:
    """Do to the samples (n, channel) of a part of a file what :func:`decode` does to those of a whole one.

    ``header`` : of the part, whose length :func:`check_length` accepts. Raises
    :class:`UnusableRecordingError`.
    """
    _check_samples(channels, header)
    return _finish(channels, mean_of_channels(channels), header, container, note, audio).measured(audio)


def _finish(
    channels: npt.NDArray[np.float32],
    mono: npt.NDArray[np.float32],
    header: Header,
    container: str,
    note: str,
    audio: AudioSpec,
) -> _Found:
    rate, duration = header.sample_rate, len(channels) / header.sample_rate
    if rate != audio.sample_rate:
        mono = soxr.resample(mono, rate, audio.sample_rate, quality="HQ")
    check_mono(float(np.abs(mono).max(initial=0.0)), audio.sample_rate, header)
    samples, untrimmed = _prepare(mono, audio)
    sound = DecodedSound(samples, untrimmed, duration, rate, channels.shape[1], container, note)
    return _Found(sound, channels, mono)


def check_mono(peak: float, rate: int, file: Header) -> None:
    """Raise if nothing is left of a recording as mono at ``rate`` Hz but rounding errors.

    Then the channels cancel out, or the sound is above half the rate.
    """
    if peak < SILENCE_PEAK:
        raise UnusableRecordingError(
            f"silent as mono at {rate} Hz: the loudest sample is {peak:.1g} of full scale", file
        )


def require_usable_header(source: ByteSource, audio: AudioSpec) -> None:
    """Raise what :func:`decode` raises for a recording that its header rules out; no samples are read."""
    with open_usable(source) as file:
        check_header(file, audio)


def prepare(mono: npt.NDArray[np.float32], audio: AudioSpec) -> npt.NDArray[np.float32]:
    """Trim and scale a waveform (n,) that is not silent, as the specification says."""
    return _prepare(mono, audio)[0]


def _prepare(
    mono: npt.NDArray[np.float32], audio: AudioSpec
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """A waveform trimmed and scaled, and only scaled: by the same factor, so that they differ in length only.

    The factor is that of the trimmed waveform, so a louder sound in what trimming removes exceeds 1.
    """
    start, stop = (0, len(mono)) if audio.trim_db is None else trim_bounds(mono, audio.trim_db)
    if audio.normalise == "peak":
        mono = mono / np.abs(mono[start:stop]).max()
    whole = np.ascontiguousarray(mono)
    return whole[start:stop], whole


def mean_of_channels(channels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Samples (n, channels) → (n,)."""
    return channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1, dtype=np.float32)


def open_usable(source: ByteSource) -> SoundFile:
    """Open a recording. Raises :class:`UnusableRecordingError` if libsndfile cannot."""
    if not source.size:
        raise UnusableRecordingError("empty file (0 bytes)")
    layout = examine(source)
    try:
        return SoundFile(source, layout)
    except SoundFileError as error:
        problem = compare_lengths(layout.extent, None).problem
        if not problem:
            problem = str(error) if layout.extent.codec else explain_foreign(source) or ""
        raise UnusableRecordingError(problem or f"not readable as audio: {error}") from error


def check_header(file: SoundFile, audio: AudioSpec) -> str:
    """Check lengths; returns a note or "". Raises if the recording is truncated, too short or too long."""
    note = check_whole(file)
    if file.frames < UNKNOWN_FRAMES:
        check_length(file.frames, file, audio)
    return note


def check_whole(file: SoundFile) -> str:
    """Check that the file holds what it announces; returns a note or "". Raises if it is truncated."""
    seconds = file.frames / file.sample_rate if 0 < file.frames < UNKNOWN_FRAMES else None
    lengths = compare_lengths(file.layout.extent, seconds)
    if lengths.problem:
        raise UnusableRecordingError(lengths.problem, file)
    return lengths.note


def _read(file: SoundFile, audio: AudioSpec) -> npt.NDArray[np.float32]:
    """Samples (n, channels), not many more than the longest usable recording has."""
    try:
        return file.read(audio.max_duration_s * file.sample_rate)
    except SamplesLostError as error:
        raise lost_samples(error, file) from error


def lost_samples(error: SamplesLostError, file: SoundFile) -> UnusableRecordingError:
    """The error for a recording that stops being readable before its end."""
    announced = f" of {file.frames}" if file.frames < UNKNOWN_FRAMES else ""
    return UnusableRecordingError(f"truncated or damaged: {error.readable}{announced} samples readable", file)


def check_length(frames: int, file: Header, audio: AudioSpec) -> None:
    """Raise if a recording of ``frames`` samples per channel is empty, too long or too short."""
    if frames == 0:
        raise UnusableRecordingError("no samples (0 s)", file)
    seconds = frames / file.sample_rate
    if seconds > audio.max_duration_s:
        is_known = file.frames < UNKNOWN_FRAMES  # otherwise it was only read until it was too long
        raise UnusableRecordingError(
            f"{f'{seconds:.6g} s long' if is_known else 'too long'}; the limit is {audio.max_duration_s:g} s",
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


def _check_samples(channels: npt.NDArray[np.float32], file: Header) -> None:
    peak = max(float(channels.max()), -float(channels.min()))  # NaN if any sample is NaN
    broken = 0 if np.isfinite(peak) else int(np.count_nonzero(~np.isfinite(channels)))
    check_levels(peak, broken, file)


def check_count(frames: int, file: SoundFile, audio: AudioSpec) -> None:
    """Raise if a file whose ``frames`` samples per channel were read is truncated, too short or too long."""
    check_readable(frames, file)
    check_length(frames, file, audio)


def check_readable(frames: int, file: SoundFile) -> None:
    """Raise if a file gave fewer than the announced samples; ``frames`` per channel were read to its end."""
    if frames < file.frames < UNKNOWN_FRAMES and file.container != "MP3":  # MP3 headers only estimate
        raise UnusableRecordingError(f"truncated: {frames} of {file.frames} samples readable", file)


def check_levels(peak: float, broken: int, file: Header) -> None:
    """Raise if the samples cannot be sound. ``broken`` of all channels are not finite.

    ``peak`` : the largest magnitude of all channels; 1 is full scale.
    """
    if broken:
        samples = "sample is" if broken == 1 else "samples are"
        raise UnusableRecordingError(f"{broken} {samples} NaN or infinite", file)
    if peak < SILENCE_PEAK:
        raise UnusableRecordingError(f"silent: the loudest sample is {peak:.1g} of full scale", file)
    if peak > LOUDEST_PEAK:
        raise UnusableRecordingError(
            f"the loudest sample is {peak:.3g} times full scale; scale the samples to ±1", file
        )
