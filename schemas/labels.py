"""Emotions, genders and the label sets that recipes train on.

A corpus maps its own labels to canonical emotions. :class:`Emotion` lists the known ones, and a corpus may
add names of its own, such as ``stress``. A *label set* merges or drops emotions. It applies to training,
never to building.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator

from schemas.errors import UnknownNameError
from schemas.names import nfc


class Emotion(StrEnum):
    """The known canonical emotions, in the order of tables and figures."""

    NEUTRAL = "neutral"
    CALM = "calm"
    HAPPY = "happy"
    SAD = "sad"
    ANGRY = "angry"
    FEARFUL = "fearful"
    DISGUST = "disgust"
    SURPRISED = "surprised"
    BORED = "bored"
    CONTEMPT = "contempt"
    EXCITED = "excited"
    FRUSTRATED = "frustrated"
    AMUSED = "amused"
    SLEEPY = "sleepy"
    CONFUSED = "confused"
    OTHER = "other"


UNKNOWN_EMOTION = "unknown"
"""Emotion of a clip to which its corpus gives none, only a valence, an arousal or a dominance.

Its ``label`` is empty. Label sets exclude it, also the one of all emotions of a store.
"""

MOST_CHARACTERS = 32
"""Longest name of an emotion."""

_NAME = re.compile(r"[^\W_][\w-]*( [\w-]+)*")


def is_emotion_name(name: str) -> bool:
    """Whether an emotion may have this name: words of lower-case letters, digits, ``_`` and ``-``."""
    return _NAME.fullmatch(name) is not None and len(name) <= MOST_CHARACTERS and name == nfc(name.lower())


def require_emotion_name(name: str) -> str:
    """Return ``name``. Raises ValueError if no emotion may have it."""
    if not is_emotion_name(name):
        raise ValueError(
            f"'{name[:60]}' cannot name an emotion; use up to {MOST_CHARACTERS} lower-case letters, digits, "
            f"spaces, _ and -"
        )
    return name


EmotionName = Annotated[str, AfterValidator(require_emotion_name)]
"""A canonical emotion: one of :class:`Emotion`, or another name that a corpus declares."""


def sort_emotions(names: Collection[str]) -> tuple[str, ...]:
    """Names of emotions as tables and figures show them: known ones first, in their order, then by name."""
    known = [str(emotion) for emotion in Emotion]
    return tuple(
        sorted(
            {*map(str, names)},
            key=lambda name: (name not in known, known.index(name) if name in known else 0, name),
        )
    )


class Gender(StrEnum):
    """Gender of a speaker as the corpus states it."""

    FEMALE = "female"
    MALE = "male"
    UNKNOWN = "unknown"


class Target(StrEnum):
    """What a model predicts: classes, or with ``regression`` the values of dimensions."""

    EMOTION = "emotion"
    GENDER_EMOTION = "gender_emotion"
    REGRESSION = "regression"


class Dimension(StrEnum):
    """A dimension of emotion that clips may have values of: columns of the manifest, in its order."""

    VALENCE = "valence"
    AROUSAL = "arousal"
    DOMINANCE = "dominance"


@dataclass(frozen=True)
class LabelSet:
    """The emotions that a recipe trains on, and the canonical emotions that map to them.

    ``classes`` are the emotions in the order of the class indices. ``rule`` maps each canonical
    emotion that is kept to one of the classes; all other emotions are excluded.
    """

    name: str
    classes: tuple[str, ...]
    rule: Mapping[str, str]

    def emotion_of(self, emotion: str) -> str | None:
        """Class of a canonical emotion, or None if the label set excludes it."""
        return self.rule.get(emotion)

    def agrees_with(self, other: LabelSet) -> bool:
        """Whether the classes are the same, in order, and no emotion that both keep is of different classes.

        An emotion that only one of them keeps does not occur in clips that both have.
        """
        common = self.rule.keys() & other.rule.keys()
        same = all(self.rule[emotion] == other.rule[emotion] for emotion in common)
        return self.classes == other.classes and same

    def class_names(self, target: Target) -> tuple[str, ...]:
        """Names of all classes of ``target``, in index order; ``female_angry`` for gender × emotion.

        Raises ValueError for a regression, which has no classes.
        """
        if target is Target.REGRESSION:
            raise ValueError("a regression has no classes")
        if target is Target.EMOTION:
            return tuple(str(emotion) for emotion in self.classes)
        return tuple(f"{g}_{e}" for g in (Gender.FEMALE, Gender.MALE) for e in self.classes)


def label_set_of(name: str, rule: Mapping[str, str]) -> LabelSet:
    """Label set with the classes of ``rule``, emotion → class, in the order in which it first names them."""
    return LabelSet(name, tuple(dict.fromkeys(rule.values())), MappingProxyType(dict(rule)))


def _label_set(name: str, classes: tuple[Emotion, ...], **merged: Emotion) -> LabelSet:
    rule: dict[str, str] = {emotion: emotion for emotion in classes}
    return label_set_of(name, rule | merged)


_SIX = (
    Emotion.ANGRY,
    Emotion.DISGUST,
    Emotion.FEARFUL,
    Emotion.HAPPY,
    Emotion.NEUTRAL,
    Emotion.SAD,
)
_SEVEN = (*_SIX, Emotion.SURPRISED)
_EIGHT = tuple(Emotion)[:8]

LABEL_SETS: Mapping[str, LabelSet] = MappingProxyType(
    {
        s.name: s
        for s in (
            _label_set("common7", _SEVEN, calm=Emotion.NEUTRAL),
            _label_set("common6", _SIX),
            _label_set("tess7", _SEVEN),
            _label_set("ravdess8", _EIGHT),
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
