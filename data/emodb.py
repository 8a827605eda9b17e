"""EMO-DB: the Berlin database of emotional speech (Burkhardt et al. 2005), in German.

``03a01Fa`` is speaker 03, text a01, emotion F (Freude), version a.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.collect import collect
from data.files import walk
from schemas.clip import Clip, Ignored, Scan
from schemas.labels import Emotion, Gender

_NAME = re.compile(r"([0-9]{2})([ab][0-9]{2})([a-z])([a-z])", re.IGNORECASE)
_FEMALE = ("08", "09", "13", "14", "16")
_MALE = ("03", "10", "11", "12", "15")
_GENDERS = {**dict.fromkeys(_FEMALE, Gender.FEMALE), **dict.fromkeys(_MALE, Gender.MALE)}
_TEXTS = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
_EMOTIONS = {
    "W": (Emotion.ANGRY, "anger"),
    "L": (Emotion.BORED, "boredom"),
    "E": (Emotion.DISGUST, "disgust"),
    "A": (Emotion.FEARFUL, "fear"),
    "F": (Emotion.HAPPY, "happiness"),
    "T": (Emotion.SAD, "sadness"),
    "N": (Emotion.NEUTRAL, "neutral"),
}


@dataclass(frozen=True)
class EmoDb:
    """EMO-DB: 10 speakers, 7 emotions with boredom and without surprise, 535 clips."""

    name: str = "emodb"
    title: str = "Berlin Database of Emotional Speech (EMO-DB)"
    licence: str = "free to download; cite Burkhardt et al. 2005"
    home_page: str = "http://emodb.bilderbar.info/"
    how_to_get: str = (
        "download the archive from http://emodb.bilderbar.info/ and unpack its folder 'wav' "
        "into a folder 'emodb'"
    )
    expected_clips: int | None = 535
    folder_names: tuple[str, ...] = (
        "emodb",
        "berlin",
        "Berlin EmoDB",
        "Berlin database of emotional speech",
        "berlin-database-of-emotional-speech-emodb",
    )

    def scan(self, root: Path) -> Scan:
        """Find the clips under ``root``: :meth:`data.corpus.Corpus.scan`."""
        return collect(self.name, root, walk(root), clip_of)


def clip_of(path: str) -> Clip | Ignored:
    """Clip described by the name of the audio file at ``path``, or the reason why it is ignored."""
    match = _NAME.fullmatch(PurePosixPath(path).stem)
    if match is None:
        return Ignored(path, "not named like a clip of EMO-DB (03a01Fa)")
    speaker, text, letter, version = match[1], match[2].lower(), match[3].upper(), match[4].lower()
    fields = (("speaker", speaker, _GENDERS), ("text", text, _TEXTS), ("emotion", letter, _EMOTIONS))
    for field, code, known in fields:
        if code not in known:
            return Ignored(path, f"{field} {code} is none of {', '.join(known)}")
    emotion, label = _EMOTIONS[letter]
    return Clip(
        clip_id=f"emodb/{speaker}{text}{letter}{version}",
        dataset="emodb",
        path=path,
        speaker=f"emodb/{speaker}",
        gender=_GENDERS[speaker],
        emotion=emotion,
        label=label,
        sentence=text,
        repetition=ord(version) - ord("a") + 1,
    )
