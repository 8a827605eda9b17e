"""Emotions, genders and the label sets that recipes train on.

The manifest uses the eight emotions of RAVDESS, plus ``bored`` for EMO-DB. A *label set* merges or drops
emotions. It applies to training, never to building.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from schemas.errors import UnknownNameError


class Emotion(StrEnum):
    """Canonical emotion of a clip."""

    NEUTRAL = "neutral"
    CALM = "calm"
    HAPPY = "happy"
    SAD = "sad"
    ANGRY = "angry"
    FEARFUL = "fearful"
    DISGUST = "disgust"
    SURPRISED = "surprised"
    BORED = "bored"


class Gender(StrEnum):
    """Gender of a speaker as the corpus states it."""

    FEMALE = "female"
    MALE = "male"
    UNKNOWN = "unknown"


class Target(StrEnum):
    """What a model predicts."""

    EMOTION = "emotion"
    GENDER_EMOTION = "gender_emotion"


@dataclass(frozen=True)
class LabelSet:
    """The emotions that a recipe trains on, and the canonical emotions that map to them.

    ``classes`` are the emotions in the order of the class indices. ``rule`` maps each canonical
    emotion that is kept to one of the classes; all other emotions are excluded.
    """

    name: str
    classes: tuple[Emotion, ...]
    rule: Mapping[Emotion, Emotion]

    def emotion_of(self, emotion: str) -> Emotion | None:
        """Class of a canonical emotion, or None if the label set excludes it."""
        return self.rule.get(Emotion(emotion))

    def class_names(self, target: Target) -> tuple[str, ...]:
        """Names of all classes of ``target``, in index order; ``female_angry`` for gender × emotion."""
        if target is Target.EMOTION:
            return tuple(str(emotion) for emotion in self.classes)
        return tuple(f"{g}_{e}" for g in (Gender.FEMALE, Gender.MALE) for e in self.classes)


def _label_set(name: str, classes: tuple[Emotion, ...], **merged: Emotion) -> LabelSet:
    rule = {emotion: emotion for emotion in classes}
    rule.update({Emotion(source): target for source, target in merged.items()})
    return LabelSet(name, classes, MappingProxyType(rule))


_SIX = (
    Emotion.ANGRY,
    Emotion.DISGUST,
    Emotion.FEARFUL,
    Emotion.HAPPY,
    Emotion.NEUTRAL,
    Emotion.SAD,
)
_SEVEN = (*_SIX, Emotion.SURPRISED)

LABEL_SETS: Mapping[str, LabelSet] = MappingProxyType(
    {
        s.name: s
        for s in (
            _label_set("common7", _SEVEN, calm=Emotion.NEUTRAL),
            _label_set("common6", _SIX),
            _label_set("tess7", _SEVEN),
            _label_set("ravdess8", tuple(e for e in Emotion if e is not Emotion.BORED)),
        )
    }
)


def label_set(name: str) -> LabelSet:
    """Label set by name. Raises :class:`UnknownNameError` for an unknown name."""
    try:
        return LABEL_SETS[name]
    except KeyError:
        known = ", ".join(LABEL_SETS)
        raise UnknownNameError(f"unknown label set '{name}'; choose one of {known}") from None
