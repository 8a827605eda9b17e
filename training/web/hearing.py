"""What a model hears of a recording: where the sound is that it gets, and the features that it is given."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipelines.decode import UnusableRecordingError, decode
from pipelines.trim import trim_bounds
from schemas.errors import RecordingError
from schemas.spec import StoreSpec
from training.predict.predictor import Predictor
from training.predict.windows import Waveform
from training.web.limits import Limits


@dataclass(frozen=True, eq=False)
class Sound:
    """A recording, decoded: ``samples`` (n,) float32, mono, neither trimmed nor scaled, at ``rate``."""

    samples: Waveform
    rate: int
    duration_s: float
    """The file's own."""

    @classmethod
    def of(cls, content: bytes, spec: StoreSpec, limits: Limits) -> Sound:
        """Decode a file. Raises :class:`RecordingError` for one that is not usable, or beyond ``limits``."""
        _require_small(content, limits)
        whole = spec.audio.model_copy(
            update={"trim_db": None, "normalise": "none", "max_duration_s": limits.max_seconds}
        )
        try:
            found = decode(content, whole)
        except UnusableRecordingError as error:
            if error.duration_s is not None and error.duration_s > limits.max_seconds:
                raise _too_long(error.duration_s, limits) from error
            raise
        return cls(found.samples, spec.audio.sample_rate, found.duration_s)

    def part(self, start_s: float, stop_s: float) -> Sound:
        """What sounds from ``start_s`` to ``stop_s``."""
        samples = self.samples[round(start_s * self.rate) : round(stop_s * self.rate)]
        return Sound(samples, self.rate, len(samples) / self.rate)

    def wav(self) -> bytes:
        """The samples as a file, to the last bit."""
        content = io.BytesIO()
        soundfile.write(content, self.samples, self.rate, format="WAV", subtype="FLOAT")
        return content.getvalue()


@dataclass(frozen=True, eq=False)
class HeardClip:
    """One clip as the model hears it. Times are seconds of the recording."""

    sound: Sound
    start_s: float
    """Where ``sound`` begins."""
    heard_from_s: float
    heard_to_s: float
    unheard_s: float
    """Sound behind what is heard: the model hears so many seconds, and no more."""
    feature: str
    values: NDArray[np.floating]
    """(coefficients, frames) of ``feature``, frames of padding taken off."""
    hop_s: float
    """From frame to frame."""

    @classmethod
    def of(cls, predictor: Predictor, sound: Sound, start_s: float = 0.0) -> HeardClip:
        """What ``predictor`` hears of ``sound``, which begins at ``start_s``."""
        spec = predictor.spec
        start, stop = bounds(sound, spec)
        end = min(stop, start + spec.length)
        found = predictor.features(sound.wav())
        feature = "mel" if "mel" in found else max(found, key=lambda name: len(found[name]))
        return cls(
            sound=sound,
            start_s=start_s,
            heard_from_s=start_s + start / sound.rate,
            heard_to_s=start_s + end / sound.rate,
            unheard_s=(stop - end) / sound.rate,
            feature=feature,
            values=found[feature][:, : spec.valid_frames(end - start)],
            hop_s=spec.spectral.hop_length / sound.rate,
        )


def bounds(sound: Sound, spec: StoreSpec) -> tuple[int, int]:
    """First and one-past-last sample that the store of ``spec`` would keep of a clip."""
    if spec.audio.trim_db is None:
        return 0, len(sound.samples)
    return trim_bounds(sound.samples, spec.audio.trim_db)


def _require_small(content: bytes, limits: Limits) -> None:
    """Look at the header alone: some megabytes of a file can hold many gigabytes of samples."""
    try:
        header = soundfile.info(io.BytesIO(content))
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError, IndexError):
        return  # decode() says what is wrong with it
    if header.samplerate > 0 and header.frames / header.samplerate > limits.max_seconds:
        raise _too_long(header.frames / header.samplerate, limits)
    if header.frames * header.channels > limits.most_samples:
        raise RecordingError(
            f"{header.channels} channels of {header.samplerate} Hz over {header.duration:.4g} s are too much "
            "for this page; send it as mono at 48 kHz or less"
        )


def _too_long(seconds: float, limits: Limits) -> RecordingError:
    return RecordingError(
        f"{seconds:.4g} s long; this page takes {limits.max_seconds:g} s at most: send a part of it"
    )
