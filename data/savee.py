"""SAVEE: four male English speakers, 15 sentences per emotion and 30 neutral ones.

Two layouts exist: the original ``AudioData/DC/a01.wav`` and the flat ``DC_a01.wav`` on Kaggle.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.collect import collect
from data.files import walk
from schemas.clip import Clip, Ignored, Scan
from schemas.labels import Emotion, Gender

_SPEAKERS = ("DC", "JE", "JK", "KL")
_NAME = re.compile(r"(?:([a-z]{2})_)?([a-z]{1,2})([0-9]{2})", re.IGNORECASE)
_EMOTIONS = {
    "a": (Emotion.ANGRY, "anger"),
    "d": (Emotion.DISGUST, "disgust"),
    "f": (Emotion.FEARFUL, "fear"),
    "h": (Emotion.HAPPY, "happiness"),
    "n": (Emotion.NEUTRAL, "neutral"),
    "sa": (Emotion.SAD, "sadness"),
    "su": (Emotion.SURPRISED, "surprise"),
}


@dataclass(frozen=True)
class Savee:
    """SAVEE: 4 male speakers, 7 emotions, 480 clips."""

    name: str = "savee"
    title: str = "Surrey Audio-Visual Expressed Emotion (SAVEE) database"
    licence: str = "free for research, after registration with the authors"
    home_page: str = "http://kahlan.eps.surrey.ac.uk/savee/"
    how_to_get: str = (
        "register at http://kahlan.eps.surrey.ac.uk/savee/Download.html, download AudioData.zip and "
        "unpack it into a folder 'savee'"
    )
    expected_clips: int | None = 480
    folder_names: tuple[str, ...] = (
        "savee",
        "AudioData",
        "Surrey Audio-Visual Expressed Emotion (SAVEE) database",
        "Surrey Audio-Visual Expressed Emotion (SAVEE)",
        "surrey-audiovisual-expressed-emotion-savee",
        "savee database",
    )

    def scan(self, root: Path) -> Scan:
        """Find the clips under ``root``: :meth:`data.corpus.Corpus.scan`."""
        return collect(self.name, root, walk(root), lambda path: clip_of(path, root.name))


def clip_of(path: str, root_name: str = "") -> Clip | Ignored:
    """Clip described by the name of the audio file at ``path``, or the reason why it is ignored.

    ``root_name`` is the name of the corpus folder, which gives the speaker if it is ``DC`` itself.
    """
    file = PurePosixPath(path)
    match = _NAME.fullmatch(file.stem)
    if match is None or match[2].lower() not in _EMOTIONS:
        return Ignored(path, "not named like a clip of SAVEE (DC_a01, or a01 in a folder DC)")
    prefix, code, number = (match[1] or "").upper(), match[2].lower(), match[3]
    if prefix and prefix not in _SPEAKERS:
        return Ignored(path, f"speaker {prefix} is none of {', '.join(_SPEAKERS)}")
    folders = [part.upper() for part in (root_name, *file.parts[:-1]) if part.upper() in _SPEAKERS]
    folder = folders[-1] if folders else ""
    speaker = prefix or folder
    if not speaker:
        return Ignored(path, f"neither its name nor a folder tells the speaker ({', '.join(_SPEAKERS)})")
    last = 30 if code == "n" else 15
    if not 1 <= int(number) <= last:
        return Ignored(path, f"sentence {number} of emotion '{code}' is none of 01–{last}")
    emotion, label = _EMOTIONS[code]
    return Clip(
        clip_id=f"savee/{speaker}_{code}{number}",
        dataset="savee",
        path=path,
        speaker=f"savee/{speaker}",
        gender=Gender.MALE,
        emotion=emotion,
        label=label,
        sentence=f"{code}{number}",
        note=f"lies in folder {folder}, but its name says {speaker}; the name is taken"
        if folder and folder != speaker
        else "",
    )
