"""What a model hears of a recording: the part of the sound, and its features."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipelines.decode import UnusableRecordingError, decode_sound
from pipelines.trim import trim_bounds
from schemas.spec import StoreSpec
from training.predict.predictor import Predictor
from training.predict.windows import Waveform
from training.web.limits import Limits


@dataclass(frozen=True, eq=False)
class Sound:
    """A decoded recording: ``samples`` (n,) float32 mono, neither trimmed nor scaled, at ``rate`` Hz."""

    samples: Waveform
    rate: int
    duration_s: float
    """Duration of the file."""

    @classmethod
    def of(cls, content: bytes, spec: StoreSpec, limits: Limits) -> Sound:
        """Decode a file. Raises :class:`RecordingError` if it is not usable or exceeds ``limits``."""
        limits.allowed.require(content)
        whole = spec.audio.model_copy(
            update={"trim_db": None, "normalise": "none", "max_duration_s": limits.max_seconds}
        )
        try:
            found = decode_sound(content, whole)
        except UnusableRecordingError as error:
            if error.duration_s is not None and error.duration_s > limits.max_seconds:
                raise limits.allowed.too_long(error.duration_s) from error
            raise error.without_setting() from error
        return cls(found.samples, spec.audio.sample_rate, found.duration_s)

    def part(self, start_s: float, stop_s: float) -> Sound:
        """The part from ``start_s`` to ``stop_s``."""
        samples = self.samples[round(start_s * self.rate) : round(stop_s * self.rate)]
        return Sound(samples, self.rate, len(samples) / self.rate)

    def wav(self) -> bytes:
        """A WAV file with exactly these samples."""
        content = io.BytesIO()
        soundfile.write(content, self.samples, self.rate, format="WAV", subtype="FLOAT")
        return content.getvalue()


@dataclass(frozen=True, eq=False)
class HeardClip:
    """One clip as the model hears it. Times are seconds of the recording."""

    sound: Sound
    start_s: float
    """Start of ``sound``."""
    heard_from_s: float
    heard_to_s: float
    unheard_s: float
    """Sound after the part that is heard, because the model hears only a fixed number of seconds."""
    feature: str
    values: NDArray[np.floating]
    """(coefficients, frames) of ``feature``, without padded frames."""
    hop_s: float
    """Time between frames."""

    @classmethod
    def of(cls, predictor: Predictor, sound: Sound, start_s: float = 0.0) -> HeardClip:
        """The part of ``sound``, which starts at ``start_s``, that ``predictor`` hears."""
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
    """First sample, and one past the last, that a store of ``spec`` would keep of a clip."""
    if spec.audio.trim_db is None:
        return 0, len(sound.samples)
    return trim_bounds(sound.samples, spec.audio.trim_db)
