"""Common words for emotions, as folders and tables name them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from schemas.labels import Emotion
from schemas.names import nfc

_SYNONYMS: Mapping[Emotion, str] = {
    Emotion.NEUTRAL: "neutral neutrality neu",
    Emotion.CALM: "calm calmness relaxed",
    Emotion.HAPPY: "happy happiness joy joyful joyous hap",
    Emotion.SAD: "sad sadness sorrow sorrowful unhappy",
    Emotion.ANGRY: "angry anger rage furious mad ang",
    Emotion.FEARFUL: "fearful fear afraid scared frightened anxiety anxious fea",
    Emotion.DISGUST: "disgust disgusted dis",
    Emotion.SURPRISED: "surprised surprise pleasantsurprise pleasantsurprised pleasantlysurprised ps sur",
    Emotion.BORED: "bored boredom bor",
    Emotion.CONTEMPT: "contempt contemptuous con",
    Emotion.EXCITED: "excited excitement exc",
    Emotion.FRUSTRATED: "frustrated frustration fru",
    Emotion.AMUSED: "amused amusement",
    Emotion.SLEEPY: "sleepy sleepiness tired",
    Emotion.CONFUSED: "confused confusion",
    Emotion.OTHER: "other oth",
}

COMMON_WORDS: Mapping[str, Emotion] = MappingProxyType(
    {word: emotion for emotion, words in _SYNONYMS.items() for word in words.split()}
)
"""Word in the form of :func:`word_key` → emotion."""


@lru_cache(maxsize=4096)
def word_key(word: str) -> str:
    """Canonical form of a word: ``01_Pleasant-Surprise`` and ``pleasant surprise`` are the same."""
    name = nfc(nfc(word).casefold())
    return re.sub(r"[\s_-]", "", re.sub(r"^[0-9]+[\s._-]*", "", name)) or name
