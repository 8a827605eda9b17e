"""The classes that a recipe trains on: a named label set, every emotion of the store, or a map of its own."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self

from pydantic import Field, model_validator

from schemas.labels import LABEL_SETS, EmotionName, LabelSet, Target, label_set, label_set_of, sort_emotions
from schemas.messages.counts import format_count
from schemas.model import Model

ALL_EMOTIONS = "all"
"""Label set with one class per emotion of the clips that are trained on."""

_OWN = "own"


class LabelsSpec(Model):
    """Classes that the model learns."""

    set: str = Field(default="common7", max_length=64)
    """A label set: common7, common6, tess7 or ravdess8. all: every emotion of the clips that the recipe
    trains on. With a map: a name for it, own by default."""
    map: dict[EmotionName, EmotionName] | None = None
    """Emotion of a clip → class, such as {angry = "high", sad = "low"}; other emotions are left out. The
    classes have the order in which they first appear. null: those of the label set."""
    target: Target = Target.EMOTION

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
        return self

    def resolve(self, emotions: Collection[str]) -> LabelsSpec:
        """With ``set = "all"``, the same with a map of ``emotions``; otherwise itself.

        Raises ValueError if there are fewer than two emotions.
        """
        if self.set != ALL_EMOTIONS or self.map is not None:
            return self
        own = {emotion: emotion for emotion in sort_emotions(emotions)}
        return LabelsSpec(set=self.set, map=own, target=self.target)

    @property
    def described(self) -> str:
        """Name of the label set, followed by the classes of a map: ``own (high, low)``."""
        return self.set if self.map is None else f"{self.set} ({', '.join(dict.fromkeys(self.map.values()))})"

    def label_set(self) -> LabelSet:
        """The label set. Raises :class:`~schemas.errors.UnknownNameError` for ``all`` before
        :meth:`resolve`.
        """
        return label_set(self.set) if self.map is None else label_set_of(self.set, self.map)
