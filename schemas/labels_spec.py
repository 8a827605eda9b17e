"""What a recipe trains on: classes (a named label set, every emotion of the store, or a map of its own), or
the values of dimensions.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self

from pydantic import Field, model_validator

from schemas.labels import (
    LABEL_SETS,
    Dimension,
    EmotionName,
    LabelSet,
    Target,
    label_set,
    label_set_of,
    sort_emotions,
)
from schemas.messages.counts import format_count
from schemas.model import Model

ALL_EMOTIONS = "all"
"""Label set with one class per emotion of the clips that are trained on."""

_OWN = "own"


class LabelsSpec(Model):
    """Classes or dimensions that the model learns."""

    set: str = Field(default="common7", max_length=64)
    """A label set: common7, common6, tess7 or ravdess8. all: every emotion of the clips that the recipe
    trains on. With a map: a name for it, own by default. Not used if the target is regression."""
    map: dict[EmotionName, EmotionName] | None = None
    """Emotion of a clip → class, such as {angry = "high", sad = "low"}; other emotions are left out. The
    classes have the order in which they first appear. null: those of the label set."""
    target: Target = Target.EMOTION
    """``emotion``; ``gender_emotion``, emotions of speakers of known gender; or ``regression``, the values of
    dimensions."""
    dimensions: tuple[Dimension, ...] | None = Field(None, min_length=1)
    """``regression`` only: columns of the manifest to learn together: valence, arousal and dominance. null:
    those of which any clip that the recipe trains on has a value."""

    @model_validator(mode="before")
    @classmethod
    def _name_map(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("map") is not None and "set" not in values:
            return {**values, "set": _OWN}
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.map is None:
            if self.set not in (*LABEL_SETS, ALL_EMOTIONS):
                known = ", ".join((*LABEL_SETS, ALL_EMOTIONS))
                raise ValueError(f"unknown label set '{self.set}'; choose one of {known}, or give a map")
        elif self.set in LABEL_SETS:
            raise ValueError(
                f"label set '{self.set}' has a map already; give yours another name, such as set = \"{_OWN}\""
            )
        elif len({*self.map.values()}) < 2:
            raise ValueError(
                f"map has {format_count(len({*self.map.values()}), 'class', 'classes')}; give at least two"
            )
        self._check_dimensions()
        return self

    def _check_dimensions(self) -> None:
        if self.target is Target.REGRESSION:
            if self.map is not None:
                raise ValueError("map is of classes, but the target is regression; remove the map")
        elif self.dimensions is not None:
            raise ValueError(
                f'dimensions are for target = "regression", not for {self.target}; change the target, or '
                f"remove dimensions"
            )
        if self.dimensions is not None and len({*self.dimensions}) < len(self.dimensions):
            raise ValueError(f"a dimension is listed twice: {', '.join(self.dimensions)}")

    @property
    def is_regression(self) -> bool:
        """Whether the model learns values of dimensions instead of classes."""
        return self.target is Target.REGRESSION

    def resolve(self, emotions: Collection[str]) -> LabelsSpec:
        """With ``set = "all"``, the same with a map of ``emotions``; otherwise itself.

        Raises ValueError if there are fewer than two emotions.
        """
        if self.set != ALL_EMOTIONS or self.map is not None or self.is_regression:
            return self
        own = {emotion: emotion for emotion in sort_emotions(emotions)}
        return LabelsSpec(set=self.set, map=own, target=self.target)

    @property
    def described(self) -> str:
        """Name of the label set, followed by the classes of a map: ``own (high, low)``."""
        return self.set if self.map is None else f"{self.set} ({', '.join(dict.fromkeys(self.map.values()))})"

    def agrees_with(self, other: LabelsSpec) -> bool:
        """Whether models of both predict the same; label sets may have different names and sources."""
        if self.is_regression or other.is_regression:
            return self == other
        return self.target is other.target and self.label_set().agrees_with(other.label_set())

    def label_set(self) -> LabelSet:
        """The label set. Raises :class:`~schemas.errors.UnknownNameError` for ``all`` before
        :meth:`resolve`.
        """
        return label_set(self.set) if self.map is None else label_set_of(self.set, self.map)
