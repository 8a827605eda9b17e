"""The demo corpus: synthetic voices, to try all commands without downloading speech."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.collect import collect
from data.files import walk
from schemas.clip import Clip, Ignored, Scan
from schemas.labels import Emotion, Gender

_NAME = re.compile(r"([fm])([0-9]{2})_(s[0-9])_([a-z]+)_([1-9])")

EMOTIONS = (
    Emotion.NEUTRAL,
    Emotion.HAPPY,
    Emotion.SAD,
    Emotion.ANGRY,
    Emotion.FEARFUL,
    Emotion.DISGUST,
    Emotion.SURPRISED,
)
"""Emotions of the demo voices."""


@dataclass(frozen=True)
class DemoCorpus:
    """Synthetic voices: 8 female and 8 male speakers, 7 emotions, 672 clips."""

    name: str = "demo"
    title: str = "Synthetic demo voices"
    licence: str = "none needed: synthesised by this program"
    home_page: str = ""
    how_to_get: str = "run `ser-features demo`, which writes the folder 'demo' to the corpora root"
    expected_clips: int | None = 672
    folder_names: tuple[str, ...] = ("demo",)

    def scan(self, root: Path) -> Scan:
        """Find the clips under ``root``: :meth:`data.corpus.Corpus.scan`."""
        return collect(self.name, root, walk(root), clip_of)


def write_demo(root: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Write the demo corpus to ``root/demo`` and return that folder; existing clips are kept.

    ``progress`` is called with (clips done, all clips). Every call writes the same bytes, and a call that was
    stopped is completed by the next one. Raises :class:`OSError` if the disk is full or refuses access.
    """
    from data.voices.synthesis import write_voices

    folder = root / "demo"
    write_voices(folder, EMOTIONS, progress)
    return folder


def clip_of(path: str) -> Clip | Ignored:
    """Clip described by the name of the audio file at ``path``, or the reason why it is ignored."""
    match = _NAME.fullmatch(PurePosixPath(path).stem)
    if match is None or match[4] not in EMOTIONS:
        return Ignored(path, "not named like a demo clip (f01_s1_happy_1)")
    letter, number, sentence, emotion, repetition = match.groups()
    return Clip(
        clip_id=f"demo/{match[0]}",
        dataset="demo",
        path=path,
        speaker=f"demo/{letter}{number}",
        gender=Gender.FEMALE if letter == "f" else Gender.MALE,
        emotion=Emotion(emotion),
        label=emotion,
        sentence=sentence,
        repetition=int(repetition),
    )
