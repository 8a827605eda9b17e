"""CREMA-D: 91 actors, 12 sentences, six emotions at several levels.

Names are actor_sentence_emotion_level. The actors' sex is listed in ``VideoDemographics.csv``, next to
``AudioWAV`` in the authors' repository. Most other copies lack this file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.collect import collect, not_audio
from data.files import Tree, walk
from schemas.clip import Clip, Ignored, Scan
from schemas.errors import CorpusError
from schemas.files.regular_file import read_regular_file
from schemas.files.text import TextError, decode_text
from schemas.labels import Emotion, Gender

_NAME = re.compile(r"([0-9]{4})_([a-z]{3})_([a-z]{3})_([a-z]{1,2})", re.IGNORECASE)
_FIRST_ACTOR, _LAST_ACTOR = 1001, 1091
_SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
_EMOTIONS = {
    "ANG": (Emotion.ANGRY, "anger"),
    "DIS": (Emotion.DISGUST, "disgust"),
    "FEA": (Emotion.FEARFUL, "fear"),
    "HAP": (Emotion.HAPPY, "happy"),
    "NEU": (Emotion.NEUTRAL, "neutral"),
    "SAD": (Emotion.SAD, "sad"),
}
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
_KNOWN_DEFECTS = {"1076_MTI_SAD_XX": "known to be silent in the released set"}
_TABLE = "VideoDemographics.csv"
_TABLE_ADDRESS = f"https://github.com/CheyneyComputerScience/CREMA-D/raw/master/{_TABLE}"


@dataclass(frozen=True)
class CremaD:
    """CREMA-D: 48 actors and 43 actresses, 6 emotions, 7,442 clips."""

    name: str = "cremad"
    title: str = "Crowd-sourced Emotional Multimodal Actors Dataset (CREMA-D)"
    licence: str = "ODbL 1.0"
    home_page: str = "https://github.com/CheyneyComputerScience/CREMA-D"
    how_to_get: str = (
        "run `ser-features download cremad`, or clone https://github.com/CheyneyComputerScience/CREMA-D with "
        f"git-lfs and put its AudioWAV and {_TABLE} into a folder 'cremad'"
    )
    expected_clips: int | None = 7442
    folder_names: tuple[str, ...] = ("cremad", "CREMA-D-master", "CREMA-D-main", "AudioWAV", "crema")

    def scan(self, root: Path) -> Scan:
        """Find the clips under ``root``: :meth:`data.corpus.Corpus.scan`."""
        tree = walk(root)
        table = _find_table(root, tree)
        genders = {} if table is None else read_genders(table)
        scan = collect(
            self.name,
            root,
            tree,
            lambda path: clip_of(path, genders),
            other=lambda path: _other(path, root, table),
        )
        unknown = sorted({clip.speaker for clip in scan.clips if clip.gender is Gender.UNKNOWN})
        if not unknown:
            return scan
        notice = (
            f"{_TABLE} is not there, so the gender of all CREMA-D speakers is unknown; "
            f"fetch {_TABLE_ADDRESS} into '{root}'"
            if table is None
            else f"'{table}' says nothing of {', '.join(unknown)}; their gender is unknown"
        )
        return Scan(scan.dataset, scan.root, scan.clips, scan.ignored, (*scan.notices, notice))


def clip_of(path: str, genders: Mapping[str, Gender]) -> Clip | Ignored:
    """Clip described by the name of the audio file at ``path``, or the reason why it is ignored."""
    match = _NAME.fullmatch(PurePosixPath(path).stem)
    if match is None:
        return Ignored(path, "not named like a clip of CREMA-D (1001_IEO_NEU_XX)")
    actor, sentence, emotion, written = match[1], *(part.upper() for part in match.groups()[1:])
    level = "XX" if written == "X" else written
    if not _FIRST_ACTOR <= int(actor) <= _LAST_ACTOR:
        return Ignored(path, f"actor {actor} is none of {_FIRST_ACTOR}–{_LAST_ACTOR}")
    fields = (("sentence", sentence, _SENTENCES), ("emotion", emotion, _EMOTIONS), ("level", level, _LEVELS))
    for field, code, known in fields:
        if code not in known:
            return Ignored(path, f"{field} {code} is none of {', '.join(known)}")
    stem = f"{actor}_{sentence}_{emotion}_{level}"
    notes = ["level written X, read as XX"] if written == "X" else []
    if stem in _KNOWN_DEFECTS:
        notes.append(_KNOWN_DEFECTS[stem])
    canonical, label = _EMOTIONS[emotion]
    return Clip(
        clip_id=f"cremad/{stem}",
        dataset="cremad",
        path=path,
        speaker=f"cremad/{actor}",
        gender=genders.get(actor, Gender.UNKNOWN),
        emotion=canonical,
        label=label,
        intensity=_LEVELS[level],
        sentence=_SENTENCES[sentence],
        note="; ".join(notes),
    )


def read_genders(table: Path) -> dict[str, Gender]:
    """Gender by actor number from ``VideoDemographics.csv`` (columns ActorID and Sex, among others).

    Raises :class:`CorpusError` if a column is missing or a value of Sex is neither Male nor Female.
    """
    genders: dict[str, Gender] = {}
    try:
        text = decode_text(read_regular_file(table))
        rows = csv.DictReader(io.StringIO(text, newline=""))
        if not {"ActorID", "Sex"} <= set(rows.fieldnames or ()):
            raise CorpusError(
                f"'{table}' lacks the column ActorID or Sex; download it again from {_TABLE_ADDRESS}"
            )
        for row in rows:
            sex = (row["Sex"] or "").strip().lower()
            if sex not in {"male", "female"}:
                raise CorpusError(
                    f"'{table}', line {rows.line_num}: Sex is '{row['Sex']}', neither Male nor Female; "
                    f"download the table again from {_TABLE_ADDRESS}"
                )
            genders[(row["ActorID"] or "").strip()] = Gender(sex)
    except (OSError, TextError, csv.Error) as error:
        raise CorpusError(
            f"cannot read '{table}': {(error.strerror if isinstance(error, OSError) else None) or error}; "
            f"download it again from {_TABLE_ADDRESS}"
        ) from error
    return genders


def _find_table(root: Path, tree: Tree) -> Path | None:
    """Topmost speaker table in the tree, or the one next to ``root`` if ``root`` is AudioWAV itself."""
    inside = [path for path in tree.other if PurePosixPath(path).name.lower() == _TABLE.lower()]
    if inside:
        return root / min(inside, key=lambda path: (path.count("/"), path))
    beside = root.resolve().parent / _TABLE
    return beside if root.resolve().name.lower() == "audiowav" and beside.is_file() else None


def _other(path: str, root: Path, table: Path | None) -> Ignored:
    if table is not None and root / path == table:
        return Ignored(path, "speaker table, read for the actors' sex")
    return not_audio(path)
