"""Features that a store can hold, each with its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol, Self, get_args

from pydantic import Field, TypeAdapter, model_validator

from schemas.encoders import EncoderSpec
from schemas.errors import UnknownNameError, UsageError
from schemas.imported import ImportedSpec
from schemas.messages.nearest import did_you_mean
from schemas.model import Model
from schemas.opensmile import FEATURE_SETS, OpenSmileSpec


class _HasKind(Protocol):
    @property
    def kind(self) -> str: ...


class _SignalFeature(Model):
    @property
    def name(self: _HasKind) -> str:
        """Name of the feature, and of its arrays: its kind."""
        return self.kind


class MelSpec(_SignalFeature):
    """Mel power spectrogram, (n_mels, frames) dB re 1.0, floored 80 dB below the clip's maximum.

    Slaney's scale and norm: ``pipelines.features.mel``.
    """

    kind: Literal["mel"] = "mel"
    n_mels: int = Field(128, ge=8, le=512)


class MfccSpec(_SignalFeature):
    """Mel-frequency cepstral coefficients, (n_mfcc, frames) dB: orthonormal DCT-II of the mel dB.

    Davis & Mermelstein 1980: ``pipelines.features.mfcc``.
    """

    kind: Literal["mfcc"] = "mfcc"
    n_mfcc: int = Field(40, ge=1, le=512)
    n_mels: int = Field(128, ge=8, le=512)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc {self.n_mfcc} exceeds n_mels {self.n_mels}")
        return self


class _SlopeSpec(_SignalFeature):
    width: int = Field(9, ge=3, le=129)
    """Length of the Savitzky–Golay window in frames, an odd number."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % 2 == 0:
            raise ValueError(f"width must be odd, got {self.width}")
        return self


class DeltaSpec(_SlopeSpec):
    """First derivative of the MFCC in time, (n_mfcc, frames) dB per frame.

    Savitzky & Golay 1964: ``pipelines.features.delta``.
    """

    kind: Literal["delta"] = "delta"


class Delta2Spec(_SlopeSpec):
    """Second derivative of the MFCC in time, (n_mfcc, frames) dB per frame²; not the delta of the delta."""

    kind: Literal["delta2"] = "delta2"


class ChromaSpec(_SignalFeature):
    """Energy of the pitch classes, (n_chroma, frames), each frame scaled to a maximum of 1.

    Ellis 2007: ``pipelines.features.chroma``.
    """

    kind: Literal["chroma"] = "chroma"
    n_chroma: int = Field(12, ge=3, le=96)
    tuning: float | None = Field(None, ge=-0.5, le=0.5)
    """Deviation from A = 440 Hz in fractions of a chroma bin; null: estimated for each view of each clip."""


class RmsSpec(_SignalFeature):
    """Root-mean-square energy of each frame, (1, frames), amplitude (``librosa.feature.rms``)."""

    kind: Literal["rms"] = "rms"


class ZcrSpec(_SignalFeature):
    """Zero-crossing rate of each frame, (1, frames), 0…1 (``librosa.feature.zero_crossing_rate``)."""

    kind: Literal["zcr"] = "zcr"


_Signal = MelSpec | MfccSpec | DeltaSpec | Delta2Spec | ChromaSpec | RmsSpec | ZcrSpec
FeatureSpec = Annotated[_Signal | EncoderSpec | OpenSmileSpec | ImportedSpec, Field(discriminator="kind")]

FEATURE_KINDS: tuple[str, ...] = tuple(
    get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(_Signal)
)
"""Names of the features that are computed from the signal alone, in the order in which ``all`` lists them."""

_ADAPTER: TypeAdapter[Any] = TypeAdapter(FeatureSpec)


def coefficients(feature: FeatureSpec, features: tuple[FeatureSpec, ...]) -> int:
    """Number of rows of a feature in a store with ``features``."""
    match feature:
        case MelSpec():
            return feature.n_mels
        case MfccSpec():
            return feature.n_mfcc
        case DeltaSpec() | Delta2Spec():
            return next(other.n_mfcc for other in features if isinstance(other, MfccSpec))
        case ChromaSpec():
            return feature.n_chroma
        case EncoderSpec() | OpenSmileSpec() | ImportedSpec():
            return feature.coefficients
        case _:
            return 1


def named_features(
    names: str, listed: tuple[FeatureSpec, ...], encoders: Mapping[str, EncoderSpec] | None = None
) -> tuple[FeatureSpec, ...]:
    """Features by name: ``all`` or a comma-separated list, with the parameters that ``listed`` gives them.

    A feature that is not in ``listed`` gets its defaults, an encoder those of ``encoders``. ``all`` means all
    features of the signal. Raises :class:`UnknownNameError` for an unknown feature and
    :class:`UsageError` for a feature given twice.
    """
    wanted = [name.strip() for name in names.split(",")]
    chosen = list(FEATURE_KINDS) if wanted == ["all"] else wanted
    known: dict[str, FeatureSpec] = {
        **(encoders or {}),
        **{name: _ADAPTER.validate_python({"kind": "opensmile", "name": name}) for name in FEATURE_SETS},
        **{name: _ADAPTER.validate_python({"kind": name}) for name in FEATURE_KINDS},
        **{feature.name: feature for feature in listed},
    }
    for name in chosen:
        if name not in known:
            raise UnknownNameError(
                f"unknown feature '{name}'; {did_you_mean(name, tuple(known))}choose all, or a "
                f"comma-separated list from {', '.join((*FEATURE_KINDS, *FEATURE_SETS))} and the encoders "
                f"that `ser-features encoders` lists"
            )
        if chosen.count(name) > 1:
            raise UsageError(f"the feature '{name}' appears twice in '{names}'; list it once")
    return tuple(known[name] for name in chosen)
