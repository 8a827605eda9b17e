"""Augmented views that a store can hold, each most with a fixed parameter or a range to draw it from."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.model import Model

Parameter = float | tuple[float, float]
"""A fixed value, or the range from which each clip's value is drawn uniformly."""

ORIGINAL = "original"
"""Name of view 0."""


def span(parameter: Parameter) -> tuple[float, float]:
    """Lowest and highest value of a parameter; equal for a fixed one."""
    return parameter if isinstance(parameter, tuple) else (parameter, parameter)


def _require(name: str, parameter: Parameter, lowest: float, highest: float, unit: str = "") -> None:
    low, high = span(parameter)
    if not lowest <= low <= high <= highest:
        got = f"{low:g}" if low == high else f"{low:g}…{high:g}"
        raise ValueError(
            f"{name} must be a value or an ascending range within {lowest:g}…{highest:g}{unit}, got {got}"
        )


class _NamedView(Model):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.+-]{0,31}$")
    """Unique in the store; part of the key of the view's random stream."""


class NoiseSpec(_NamedView):
    """Additive white Gaussian noise at a signal-to-noise ratio in dB."""

    kind: Literal["noise"] = "noise"
    snr_db: Parameter

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require("snr_db", self.snr_db, -20, 80, " dB")
        return self


class PitchSpec(_NamedView):
    """Pitch shifted by semitones, at the same duration."""

    kind: Literal["pitch"] = "pitch"
    semitones: Parameter

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require("semitones", self.semitones, -12, 12)
        return self


class ShiftSpec(_NamedView):
    """Circular shift in time by a fraction of the clip's length; positive values shift to later times."""

    kind: Literal["shift"] = "shift"
    fraction: Parameter

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require("fraction", self.fraction, -1, 1)
        return self


class SpeedSpec(_NamedView):
    """Playback at ``factor`` times the speed, which changes duration and pitch."""

    kind: Literal["speed"] = "speed"
    factor: Parameter

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require("factor", self.factor, 0.5, 2)
        return self


class StretchSpec(_NamedView):
    """Speech ``factor`` times as fast, at the same pitch."""

    kind: Literal["stretch"] = "stretch"
    factor: Parameter

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require("factor", self.factor, 0.5, 2)
        return self


class UntrimmedSpec(_NamedView):
    """The recording before trimming, cut to the clip's fixed length; only if ``trim_db`` is set."""

    kind: Literal["untrimmed"] = "untrimmed"


ViewSpec = Annotated[
    NoiseSpec | PitchSpec | ShiftSpec | SpeedSpec | StretchSpec | UntrimmedSpec, Field(discriminator="kind")
]
