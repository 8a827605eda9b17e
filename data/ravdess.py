"""RAVDESS: the speech, audio-only part of the Ryerson database.

A name is seven pairs of digits: modality-channel-emotion-intensity-statement-repetition-actor
(Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.collect import collect, not_audio
from data.files import walk
from schemas.clip import Clip, Ignored, Scan
from schemas.labels import Emotion, Gender

_NAME = re.compile(r"([0-9]{2})-([0-9]{2})-([0-9]{2})-([0-9]{2})-([0-9]{2})-([0-9]{2})-([0-9]{2})")
_ACTOR_FOLDER = re.compile(r"actor[ _-]?([0-9]{1,2})", re.IGNORECASE)
_MODALITIES = {"01": "video with sound", "02": "video without sound"}
_EMOTIONS = {
    "01": Emotion.NEUTRAL,
    "02": Emotion.CALM,
    "03": Emotion.HAPPY,
    "04": Emotion.SAD,
    "05": Emotion.ANGRY,
    "06": Emotion.FEARFUL,
    "07": Emotion.DISGUST,
    "08": Emotion.SURPRISED,
}
_INTENSITIES = {"01": "normal", "02": "strong"}
_STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
_REPETITIONS = {"01": 1, "02": 2}
_ACTORS = 24


@dataclass(frozen=True)
class Ravdess:
    """RAVDESS speech: 24 actors, 8 emotions, 1,440 clips."""

    name: str = "ravdess"
    title: str = "Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), speech"
    licence: str = "CC BY-NC-SA 4.0"
    home_page: str = "https://zenodo.org/records/1188976"
    how_to_get: str = (
        "run `ser-features download ravdess`, or download Audio_Speech_Actors_01-24.zip from "
        "https://zenodo.org/records/1188976 and unpack it into a folder 'ravdess'"
    )
    expected_clips: int | None = 1440
    folder_names: tuple[str, ...] = (
        "ravdess",
        "Audio_Speech_Actors_01-24",
        "RAVDESS Emotional speech audio",
        "RAVDESS speech",
        "RAVDESS audio",
    )

    def scan(self, root: Path) -> Scan:
        """Find the clips under ``root``: :meth:`data.corpus.Corpus.scan`."""
        return collect(self.name, root, walk(root), clip_of, other=_other)


def clip_of(path: str) -> Clip | Ignored:
    """Clip described by the name of the audio file at ``path``, or the reason why it is ignored."""
    file = PurePosixPath(path)
    match = _NAME.fullmatch(file.stem)
    if match is None:
        return Ignored(path, "not named like a clip of RAVDESS (03-01-EE-II-SS-RR-AA)")
    modality, channel, emotion, intensity, statement, repetition, actor = match.groups()
    if reason := _not_speech(modality, channel):
        return Ignored(path, reason)
    fields = (
        ("emotion", emotion, _EMOTIONS),
        ("intensity", intensity, _INTENSITIES),
        ("statement", statement, _STATEMENTS),
        ("repetition", repetition, _REPETITIONS),
    )
    for field, code, known in fields:
        if code not in known:
            return Ignored(path, f"{field} {code} is none of 01–{max(known)}")
    if not 1 <= int(actor) <= _ACTORS:
        return Ignored(path, f"actor {actor} is none of 01–{_ACTORS}")
    return Clip(
        clip_id=f"ravdess/{file.stem}",
        dataset="ravdess",
        path=path,
        speaker=f"ravdess/{actor}",
        gender=Gender.MALE if int(actor) % 2 else Gender.FEMALE,
        emotion=_EMOTIONS[emotion],
        label=str(_EMOTIONS[emotion]),
        intensity=_INTENSITIES[intensity],
        sentence=_STATEMENTS[statement],
        repetition=_REPETITIONS[repetition],
        note=_folder_note(file, actor),
    )


def _not_speech(modality: str, channel: str) -> str:
    if modality in _MODALITIES:
        return f"{_MODALITIES[modality]} (modality {modality}), not audio alone"
    if modality != "03":
        return f"modality {modality} is none of 01–03"
    if channel == "02":
        return "song (channel 02), not speech"
    return "" if channel == "01" else f"channel {channel} is none of 01–02"


def _folder_note(file: PurePosixPath, actor: str) -> str:
    for folder in reversed(file.parts[:-1]):
        match = _ACTOR_FOLDER.fullmatch(folder)
        if match is not None:
            if int(match[1]) == int(actor):
                return ""
            return f"lies in folder {folder}, but its name says actor {actor}; the name is taken"
    return ""


def _other(path: str) -> Ignored:
    match = _NAME.fullmatch(PurePosixPath(path).stem)
    if match is None or match[1] not in _MODALITIES:
        return not_audio(path)
    return Ignored(path, _not_speech(match[1], match[2]))
