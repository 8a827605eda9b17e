"""TESS: two actresses say "Say the word …" with 200 words in seven emotions.

Names are speaker_word_emotion. Some copies have the speaker written ``OA``, one of four spellings of the
surprise folder, or the whole tree nested inside itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.collect import collect
from data.files import walk
from schemas.clip import Clip, Ignored, Scan
from schemas.labels import Emotion, Gender

_NAME = re.compile(r"(OAF|YAF|OA)_([a-z][a-z'-]*)_([a-z][a-z _-]*)", re.IGNORECASE)
_FOLDER = re.compile(r"(OAF|YAF|OA)[ _-]?([a-z][a-z _-]*)", re.IGNORECASE)
_SPELLINGS = {
    "angry": "angry",
    "anger": "angry",
    "disgust": "disgust",
    "disgusted": "disgust",
    "fear": "fear",
    "fearful": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "ps": "ps",
    "pleasantsurprise": "ps",
    "pleasantsurprised": "ps",
    "surprise": "ps",
    "surprised": "ps",
}
_EMOTIONS = {
    "angry": Emotion.ANGRY,
    "disgust": Emotion.DISGUST,
    "fear": Emotion.FEARFUL,
    "happy": Emotion.HAPPY,
    "neutral": Emotion.NEUTRAL,
    "ps": Emotion.SURPRISED,
    "sad": Emotion.SAD,
}


@dataclass(frozen=True)
class Tess:
    """TESS: OAF (older) and YAF (younger), 7 emotions, 2,800 clips."""

    name: str = "tess"
    title: str = "Toronto emotional speech set (TESS)"
    licence: str = "CC BY-NC-ND 4.0"
    home_page: str = "https://doi.org/10.5683/SP2/E8H2MF"
    how_to_get: str = (
        "run `ser-features download tess`, or download the files from https://doi.org/10.5683/SP2/E8H2MF (or "
        "the Kaggle copy 'toronto-emotional-speech-set-tess') and put them into a folder 'tess'"
    )
    expected_clips: int | None = 2800
    folder_names: tuple[str, ...] = (
        "tess",
        "TESS Toronto emotional speech set data",
        "Toronto emotional speech set TESS",
        "Toronto emotional speech set (TESS)",
        "Toronto emotional speech set",
    )

    def scan(self, root: Path) -> Scan:
        """Find the clips under ``root``: :meth:`data.corpus.Corpus.scan`."""
        return collect(self.name, root, walk(root), clip_of)


def clip_of(path: str) -> Clip | Ignored:
    """Clip described by the name of the audio file at ``path``, or the reason why it is ignored."""
    file = PurePosixPath(path)
    match = _NAME.fullmatch(file.stem)
    if match is None:
        return Ignored(path, "not named like a clip of TESS (OAF_word_emotion or YAF_word_emotion)")
    written, word, ending = match[1].upper(), match[2].lower(), match[3]
    emotion = _spelling(ending)
    if emotion is None:
        return Ignored(path, f"emotion '{ending}' is none of {', '.join(_EMOTIONS)}")
    speaker = "OAF" if written == "OA" else written
    notes = ["speaker written OA_, read as OAF"] if written == "OA" else []
    if note := _folder_note(file, speaker, emotion):
        notes.append(note)
    return Clip(
        clip_id=f"tess/{speaker}_{word}_{emotion}",
        dataset="tess",
        path=path,
        speaker=f"tess/{speaker}",
        gender=Gender.FEMALE,
        emotion=_EMOTIONS[emotion],
        label="pleasant surprise" if emotion == "ps" else emotion,
        sentence=word,
        note="; ".join(notes),
    )


def _spelling(text: str) -> str | None:
    return _SPELLINGS.get(re.sub(r"[ _-]", "", text).lower())


def _folder_note(file: PurePosixPath, speaker: str, emotion: str) -> str:
    match = _FOLDER.fullmatch(file.parent.name)
    folder_emotion = _spelling(match[2]) if match is not None else None
    if match is None or folder_emotion is None:
        return ""
    folder_speaker = "OAF" if match[1].upper() == "OA" else match[1].upper()
    if (folder_speaker, folder_emotion) == (speaker, emotion):
        return ""
    return f"lies in folder {file.parent.name}, but its name says {speaker}, {emotion}; the name is taken"
