"""The specification of a feature store: exactly what is computed from each recording.

Every store contains its :class:`StoreSpec`, and the digest of the specification is part of every unit's
fingerprint: stores with equal specification digests hold comparable numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from schemas.encoders import ENCODER_RATE, EncoderSpec, WhisperArchitecture
from schemas.errors import UsageError
from schemas.features import Delta2Spec, DeltaSpec, FeatureSpec, MelSpec, MfccSpec, coefficients
from schemas.imported import ImportedSpec
from schemas.model import Model, canonical_digest
from schemas.opensmile import OpenSmileSpec
from schemas.views import ORIGINAL, UntrimmedSpec, ViewSpec

MOST_SECONDS, MOST_FRAMES = 60, 20_000
"""Limits of a clip, as hundreds of clips are held in memory at a time."""

MOST_VIEWS = 128

MOST_RATIO = 1_000
"""Largest terms of the ratio by which views are resampled for encoders."""

MOST_CHUNK_BYTES = 256 * 2**20
"""Limit of one decoded chunk of a feature: five times the size of 60 s in 128 bands every 10 ms."""


class AudioSpec(Model):
    """How a recording becomes a waveform of fixed length."""

    sample_rate: int = Field(22_050, ge=4_000, le=192_000)
    """Sample rate in Hz of the waveform from which views and features are computed."""
    duration_s: float | None = Field(3.0, gt=0, le=1e6)
    """Length in seconds after trimming. Longer clips are cut at the end, shorter ones padded with zeros."""
    frames: int | None = Field(None, ge=1, le=10**9)
    """Length in frames instead of seconds: (frames − 1) · hop_length samples."""
    trim_db: float | None = Field(None, gt=0, le=120)
    """Frames more than this many dB below the loudest frame are cut from both ends; null: no trimming."""
    normalise: Literal["none", "peak"] = "none"
    """``peak``: the clip is divided by its largest magnitude after resampling and trimming."""
    min_duration_s: float = Field(0.1, gt=0)
    """Shortest usable recording in seconds; shorter ones are marked bad."""
    max_duration_s: float = Field(60.0, gt=0, le=3600)
    """Longest usable recording in seconds; longer ones are marked bad, as one label describes the whole."""

    @model_validator(mode="before")
    @classmethod
    def _length_given_once(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("frames") is not None:
            if values.get("duration_s") is not None:
                raise ValueError("give either duration_s or frames, not both")
            return {**values, "duration_s": None}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.duration_s is None and self.frames is None:
            raise ValueError("give duration_s or frames")
        if self.min_duration_s >= self.max_duration_s:
            raise ValueError(
                f"min_duration_s {self.min_duration_s:g} is not below max_duration_s {self.max_duration_s:g}"
            )
        return self


class SpectralSpec(Model):
    """Framing shared by all features of a store, with one short-time Fourier transform per view."""

    n_fft: int = Field(2048, ge=64, le=16_384)
    """Length of the periodic Hann window and of the transform, in samples."""
    hop_length: int = Field(512, ge=16, le=10**9)
    """Samples between frame centres; frame t is centred on sample t · hop_length."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_fft % 2:
            raise ValueError(f"n_fft must be even, got {self.n_fft}")
        if self.hop_length > self.n_fft:
            raise ValueError(f"hop_length {self.hop_length} exceeds n_fft {self.n_fft}")
        return self


class StorageSpec(Model):
    """How the arrays are laid out on disk."""

    dtype: Literal["float16", "float32"] = "float16"
    codec: Literal["zstd", "blosc", "none", "bitround", "fixed"] = "zstd"
    """How chunks are encoded (measurements in docs/codecs.md):

    ``zstd``: lossless, level 1, with a checksum that detects damage whenever a chunk is read.
    ``blosc``: lossless and smaller: bytes grouped by significance, then zstd; with the same checksum.
    ``none``: uncompressed; only the hashes of whole objects in ``store.json`` detect damage.
    ``bitround``: float32 rounded to 13 bits of mantissa, a relative error of at most 2⁻¹⁴; stored as blosc.
    ``fixed``: float32 in fixed steps per feature (``pipelines.quantise.FIXED_STEPS``); stored as blosc.
    """
    chunk_clips: Literal[32] = 32
    shard_clips: Literal[256] = 256

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.codec in {"bitround", "fixed"} and self.dtype != "float32":
            raise ValueError(
                f"codec {self.codec} rounds float32 numbers, not {self.dtype}; add --dtype float32"
            )
        return self


class StoreSpec(Model):
    """Everything that determines the numbers in a store, given the recordings."""

    audio: AudioSpec = AudioSpec()
    spectral: SpectralSpec = SpectralSpec()
    features: tuple[FeatureSpec, ...] = Field(min_length=1)
    views: tuple[ViewSpec, ...] = ()
    seed: int = Field(0, ge=0, lt=2**63)
    storage: StorageSpec = StorageSpec()

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        listed = [feature.name for feature in self.features]
        if len(set(listed)) < len(listed):
            raise ValueError(f"a feature is listed twice: {', '.join(listed)}")
        names = [ORIGINAL, *(view.name for view in self.views)]
        if len(set(names)) < len(names):
            raise ValueError(f"two views share a name: {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _check_untrimmed(self) -> Self:
        for view in self.views:
            if isinstance(view, UntrimmedSpec) and self.audio.trim_db is None:
                raise ValueError(
                    f"view {view.name} would equal the original, as audio.trim_db is null; set "
                    f"audio.trim_db, or remove the view"
                )
        return self

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        bins = 1 + self.spectral.n_fft // 2
        for feature in self.features:
            match feature:
                case MelSpec() | MfccSpec() if feature.n_mels > bins:
                    raise ValueError(
                        f"{feature.kind}: n_mels {feature.n_mels} exceeds the {bins} bins of n_fft"
                    )
                case DeltaSpec() | Delta2Spec():
                    if not any(isinstance(other, MfccSpec) for other in self.features):
                        raise ValueError(f"{feature.kind} is derived from mfcc; list mfcc, too")
                    if feature.width > self.frames:
                        raise ValueError(
                            f"{feature.kind}'s width {feature.width} exceeds the {self.frames} frames"
                        )
        return self

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        seconds = self.length / self.audio.sample_rate
        if seconds > MOST_SECONDS or self.frames > MOST_FRAMES:
            raise ValueError(
                f"{seconds:.4g} s in {self.frames:,} frames exceed the limit of {MOST_SECONDS} s and "
                f"{MOST_FRAMES:,} frames"
            )
        if len(self.view_names) > MOST_VIEWS:
            raise ValueError(f"{len(self.view_names):,} views exceed the limit of {MOST_VIEWS}")
        width = 2 if self.storage.dtype == "float16" else 4
        for name, (count, frames) in self.shapes.items():
            size = self.storage.chunk_clips * count * frames * width
            if size > MOST_CHUNK_BYTES:
                raise ValueError(
                    f"{name}: {count} rows × {frames:,} frames make chunks of {size:,} bytes; the "
                    f"limit is {MOST_CHUNK_BYTES:,}"
                )
        if self.length < self.spectral.n_fft:
            raise ValueError(
                f"{self.length} samples ({seconds:.3g} s) are shorter than one window: "
                f"n_fft {self.spectral.n_fft} at {self.audio.sample_rate} Hz"
            )
        return self

    @model_validator(mode="after")
    def _check_imported(self) -> Self:
        for feature in self.imported:
            if not feature.is_complete:
                raise ValueError(f"only the store knows the shape of the imported feature {feature.name}")
            if self.storage.codec == "fixed":
                raise ValueError(
                    "codec fixed has no steps for imported features; choose bitround, blosc or zstd"
                )
        return self

    @model_validator(mode="after")
    def _check_opensmile(self) -> Self:
        for feature in self.opensmile:
            if not feature.is_complete:
                raise ValueError(f"the version of openSMILE that computes {feature.name} is not known yet")
            if self.storage.codec == "fixed":
                raise ValueError("codec fixed has no steps for openSMILE; choose bitround, blosc or zstd")
        return self

    @model_validator(mode="after")
    def _check_encoders(self) -> Self:
        encoders = [feature for feature in self.features if isinstance(feature, EncoderSpec)]
        if not encoders:
            return self
        terms = ENCODER_RATE // math.gcd(ENCODER_RATE, self.audio.sample_rate)
        if max(terms, terms * self.audio.sample_rate // ENCODER_RATE) > MOST_RATIO:
            raise ValueError(
                f"sample_rate {self.audio.sample_rate} cannot be resampled to the {ENCODER_RATE} Hz of "
                f"encoders with small whole numbers; choose 16000, 22050, 24000, 44100 or 48000"
            )
        if self.storage.codec == "fixed":
            raise ValueError("codec fixed has no steps for encoders; choose bitround, blosc or zstd")
        for feature in encoders:
            architecture = feature.known_architecture
            if isinstance(architecture, WhisperArchitecture):
                window = self.length / self.audio.sample_rate if feature.window == "clip" else feature.window
                most = architecture.positions * architecture.hop / ENCODER_RATE
                if window > most:
                    raise ValueError(
                        f"{feature.name}: a window of {window:.4g} s exceeds the {most:g} s of the encoder; "
                        f"choose a shorter duration_s"
                    )
        return self

    @property
    def length(self) -> int:
        """Length of the waveform in samples."""
        if self.audio.frames is not None:
            return (self.audio.frames - 1) * self.spectral.hop_length
        return round((self.audio.duration_s or 0.0) * self.audio.sample_rate)

    @property
    def frames(self) -> int:
        """Frames of every feature of the signal: 1 + ⌊length / hop⌋."""
        return 1 + self.length // self.spectral.hop_length

    @property
    def coefficients(self) -> dict[str, int]:
        """Number of rows by feature, in the order of :attr:`features`."""
        return {feature.name: coefficients(feature, self.features) for feature in self.features}

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """(coefficients, frames) of a clip by feature, in the order of :attr:`features`."""
        frames = {
            feature.name: feature.frames(self.length, self.audio.sample_rate) for feature in self.own_frames
        } | {feature.name: feature.frames for feature in self.imported}
        return {name: (count, frames.get(name, self.frames)) for name, count in self.coefficients.items()}

    @property
    def layer_counts(self) -> dict[str, int]:
        """Number of layers by feature, each stored by itself; 1 for features that have none."""
        counts = {feature.name: len(feature.all_layers) for feature in self.encoders}
        counts |= {feature.name: feature.layers for feature in self.imported}
        return {feature.name: counts.get(feature.name, 1) for feature in self.features}

    @property
    def encoders(self) -> tuple[EncoderSpec, ...]:
        """The features that encoders compute."""
        return tuple(feature for feature in self.features if isinstance(feature, EncoderSpec))

    @property
    def opensmile(self) -> tuple[OpenSmileSpec, ...]:
        """The features that openSMILE computes."""
        return tuple(feature for feature in self.features if isinstance(feature, OpenSmileSpec))

    @property
    def own_frames(self) -> tuple[EncoderSpec | OpenSmileSpec, ...]:
        """The features that the pipeline computes and whose frames are not those of the signal's features."""
        return tuple(feature for feature in self.features if isinstance(feature, EncoderSpec | OpenSmileSpec))

    @property
    def imported(self) -> tuple[ImportedSpec, ...]:
        """The features that another tool computed; they exist for the original view alone."""
        return tuple(feature for feature in self.features if isinstance(feature, ImportedSpec))

    @property
    def computed(self) -> StoreSpec:
        """The specification without imported features: what the pipeline computes. Not checked again."""
        kept = tuple(feature for feature in self.features if not isinstance(feature, ImportedSpec))
        return self if len(kept) == len(self.features) else self.model_copy(update={"features": kept})

    @property
    def signal_columns(self) -> dict[str, slice]:
        """Slice of the coefficients by feature, if those of the signal alone are concatenated in order."""
        others = {one.name for one in self.own_frames} | {one.name for one in self.imported}
        counts = {name: count for name, count in self.coefficients.items() if name not in others}
        stops = accumulate(counts.values())
        return {name: slice(stop - counts[name], stop) for name, stop in zip(counts, stops, strict=True)}

    @property
    def view_names(self) -> tuple[str, ...]:
        """Names of the views by index; view 0 is the original."""
        return (ORIGINAL, *(view.name for view in self.views))

    def valid_frames(self, samples: int) -> int:
        """Frames whose centre lies within the first ``samples`` samples, at most :attr:`frames`."""
        if samples <= 0:
            return 0
        return min(self.frames, 1 + (samples - 1) // self.spectral.hop_length)

    def common_frames(self, features: Sequence[str]) -> int:
        """Frames of features that are to be stacked. Raises :class:`UsageError` if they differ."""
        frames = {name: self.shapes[name][1] for name in features}
        if len(set(frames.values())) > 1:
            listed = ", ".join(f"{name} {count}" for name, count in frames.items())
            raise UsageError(
                f"features with different numbers of frames cannot be stacked ({listed}); choose features "
                f"that share their frames"
            )
        return next(iter(frames.values()), self.frames)

    def valid_frames_of(self, name: str, samples: int) -> int:
        """Frames of a feature that ``samples`` samples give; 1 if it is pooled, 0 for no samples."""
        for feature in self.own_frames:
            if feature.name == name:
                return feature.frames(min(samples, self.length), self.audio.sample_rate)
        return self.valid_frames(samples)

    @property
    def digest(self) -> str:
        """``sha256:`` and the hash of the specification's canonical JSON."""
        return canonical_digest(self.model_dump(mode="json"))
