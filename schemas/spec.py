"""The specification of a feature store: what is computed from each recording, exactly.

A :class:`StoreSpec` is embedded in every store and its digest is part of every unit's fingerprint:
two stores with equal specification digests hold comparable numbers.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Model(BaseModel):
    """Base of all specifications: immutable, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class AudioSpec(Model):
    """How a recording becomes a waveform of fixed length."""

    sample_rate: int = Field(22_050, ge=4_000, le=192_000)
    """Hz, of the waveform that views and features see."""
    duration_s: float = Field(3.0, gt=0, le=60)
    """Length after trimming; longer clips are cut at the end, shorter ones padded with zeros."""
    trim_db: float | None = Field(None, gt=0, le=120)
    """Frames this many dB below the loudest frame are cut from both ends; null: no trimming."""
    min_duration_s: float = Field(0.1, gt=0)
    """A recording that is shorter is marked bad."""
    max_duration_s: float = Field(60.0, gt=0)
    """A recording that is longer is marked bad: one label cannot stand for its first seconds."""

    @property
    def length(self) -> int:
        """Samples of the fixed-length waveform."""
        return round(self.duration_s * self.sample_rate)


class SpectralSpec(Model):
    """Framing shared by all features of a store: one short-time Fourier transform a view."""

    n_fft: int = Field(2048, ge=64, le=16_384)
    """Samples of the periodic Hann window and of the transform."""
    hop_length: int = Field(512, ge=16)
    """Samples between frame centres; frame t is centred on sample t · hop_length."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_fft % 2:
            raise ValueError(f"n_fft must be even, got {self.n_fft}")
        if self.hop_length > self.n_fft:
            raise ValueError(f"hop_length {self.hop_length} exceeds n_fft {self.n_fft}")
        return self


class MelSpec(Model):
    """Mel power spectrogram in dB, re 1.0, floored 80 dB below the clip's maximum."""

    kind: Literal["mel"] = "mel"
    n_mels: int = Field(128, ge=8, le=512)

    @property
    def coefficients(self) -> int:
        """Rows of the feature."""
        return self.n_mels


class MfccSpec(Model):
    """Mel-frequency cepstral coefficients: orthonormal DCT-II of the mel spectrogram in dB."""

    kind: Literal["mfcc"] = "mfcc"
    n_mfcc: int = Field(40, ge=1, le=512)
    n_mels: int = Field(128, ge=8, le=512)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc {self.n_mfcc} exceeds n_mels {self.n_mels}")
        return self

    @property
    def coefficients(self) -> int:
        """Rows of the feature."""
        return self.n_mfcc


class RmsSpec(Model):
    """Root-mean-square energy of each frame."""

    kind: Literal["rms"] = "rms"

    @property
    def coefficients(self) -> int:
        """Rows of the feature."""
        return 1


class ZcrSpec(Model):
    """Zero-crossing rate of each frame."""

    kind: Literal["zcr"] = "zcr"

    @property
    def coefficients(self) -> int:
        """Rows of the feature."""
        return 1


FeatureSpec = Annotated[MelSpec | MfccSpec | RmsSpec | ZcrSpec, Field(discriminator="kind")]


class _NamedView(Model):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.+-]{0,31}$")
    """Unique in the store. It is part of the key of the view's random stream."""


class NoiseSpec(_NamedView):
    """Additive white Gaussian noise at a signal-to-noise ratio drawn uniformly, in dB."""

    kind: Literal["noise"] = "noise"
    snr_db: tuple[float, float]

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.snr_db
        if not -20 <= low <= high <= 80:
            raise ValueError(f"snr_db must be a range within -20…80 dB, got {low}…{high}")
        return self


class PitchSpec(_NamedView):
    """Pitch moved by semitones, duration kept."""

    kind: Literal["pitch"] = "pitch"
    semitones: float = Field(ge=-12, le=12)


class ShiftSpec(_NamedView):
    """Circular shift in time, drawn uniformly within ± ``fraction`` of the clip's length."""

    kind: Literal["shift"] = "shift"
    fraction: float = Field(gt=0, le=1)


class SpeedSpec(_NamedView):
    """Playback at ``factor`` times the speed: duration and pitch both change."""

    kind: Literal["speed"] = "speed"
    factor: float = Field(ge=0.5, le=2)


ViewSpec = Annotated[NoiseSpec | PitchSpec | ShiftSpec | SpeedSpec, Field(discriminator="kind")]

ORIGINAL = "original"
"""Name of view 0."""


class StorageSpec(Model):
    """How the arrays are laid out on disk."""

    dtype: Literal["float16", "float32"] = "float16"
    codec: Literal["zstd", "none"] = "zstd"
    chunk_clips: Literal[32] = 32
    shard_clips: Literal[256] = 256


class StoreSpec(Model):
    """All that determines the numbers in a store, given the recordings."""

    audio: AudioSpec = AudioSpec()
    spectral: SpectralSpec = SpectralSpec()
    features: tuple[FeatureSpec, ...] = Field(min_length=1)
    views: tuple[ViewSpec, ...] = ()
    seed: int = Field(0, ge=0, lt=2**63)
    storage: StorageSpec = StorageSpec()

    @model_validator(mode="after")
    def _check(self) -> Self:
        kinds = [feature.kind for feature in self.features]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"a feature is listed twice: {', '.join(kinds)}")
        names = [ORIGINAL, *(view.name for view in self.views)]
        if len(set(names)) < len(names):
            raise ValueError(f"two views share a name: {', '.join(names)}")
        if self.audio.length < self.spectral.n_fft:
            raise ValueError(
                f"duration_s {self.audio.duration_s} is shorter than one window: "
                f"n_fft {self.spectral.n_fft} at {self.audio.sample_rate} Hz"
            )
        return self

    @property
    def frames(self) -> int:
        """Frames of every feature array: 1 + ⌊length / hop⌋."""
        return 1 + self.audio.length // self.spectral.hop_length

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names by view index; 0 is the original."""
        return (ORIGINAL, *(view.name for view in self.views))

    def valid_frames(self, samples: int) -> int:
        """Frames whose centre lies within the first ``samples`` samples, at most :attr:`frames`."""
        if samples <= 0:
            return 0
        return min(self.frames, 1 + (samples - 1) // self.spectral.hop_length)

    @property
    def digest(self) -> str:
        """``sha256:`` and the hash of the specification's canonical JSON."""
        return canonical_digest(self.model_dump(mode="json"))


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: the same text for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_digest(value: object) -> str:
    """``sha256:`` and the hexadecimal SHA-256 of :func:`canonical_json`."""
    return "sha256:" + hashlib.sha256(canonical_json(value).encode()).hexdigest()
