"""Recordings of your own: a tree with one folder per emotion, described by an optional ``corpus.toml``.

::

    name = "calls"                              # default: the folder's name
    title = "Calls of the help desk"
    speaker = '^[^/]+/(?P<speaker>[a-z]+)_'      # searched for in the path below the folder
    # speakers = "speakers.csv"                  # instead: columns path or stem, speaker, gender

    [genders]
    anna = "female"

    [emotions]
    cross = "angry"                             # folder name -> emotion: a known one, or a name of your own
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data.collect import collect, not_audio
from data.files import suffix_of, walk
from data.own_recordings.description import (
    DESCRIPTION,
    Description,
    default_name,
    read_description,
    require_own_name,
)
from data.own_recordings.emotion_words import COMMON_WORDS, word_key
from data.own_recordings.speaker_pattern import find_speakers
from data.own_recordings.speakers import Speaker, SpeakerTable, read_speakers
from schemas.clip import Clip, Ignored, Scan
from schemas.labels import Gender
from schemas.messages.counts import choose_form, format_count
from schemas.names import nfc

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class FolderCorpus:
    """A named tree with one folder per emotion."""

    name: str
    title: str
    licence: str
    home_page: str
    folder_names: tuple[str, ...]
    description: Description
    how_to_get: str = "your own recordings: one folder per emotion"
    expected_clips: int | None = None

    @classmethod
    def open(cls, root: Path, name: str | None = None) -> FolderCorpus:
        """Open the corpus at ``root``, by default with the name in its ``corpus.toml``, or that of its
        folder.

        Raises :class:`UsageError` if ``name`` is invalid and :class:`CorpusError` if ``corpus.toml`` is
        unusable.
        """
        if name is not None:
            require_own_name(name)
        description = read_description(root)
        name = name or default_name(root, description)
        return cls(
            name=name,
            title=description.title or name,
            licence=description.licence or "not stated",
            home_page=description.home_page,
            folder_names=(root.resolve().name,),
            description=description,
        )

    def scan(self, root: Path) -> Scan:
        """Find the clips under ``root``: :meth:`data.corpus.Corpus.scan`."""
        tree = walk(root)
        table = read_speakers(root, self.description.speakers) if self.description.speakers else None
        reader = _PathReader.of(self.name, self.description, table, tree.audio)
        scan = collect(self.name, root, tree, reader.clip_of, other=self._other)
        notices = [*scan.notices, *self._unknown_notice(scan), *self._unmatched_notices(scan, table)]
        return Scan(scan.dataset, scan.root, scan.clips, scan.ignored, tuple(notices))

    def _other(self, path: str) -> Ignored:
        if path == DESCRIPTION:
            return Ignored(path, "describes the corpus")
        if self.description.speakers and _same_path(path, self.description.speakers):
            return Ignored(path, "speaker table of the corpus")
        return not_audio(path)

    def _unknown_notice(self, scan: Scan) -> list[str]:
        count = Counter(clip.speaker for clip in scan.clips)[f"{self.name}/{_UNKNOWN}"]
        if not count:
            return []
        return [
            (
                f"the speaker of {count} of {len(scan.clips)} {choose_form(len(scan.clips), 'clip')} of "
                f"'{self.name}' is not known: a speaker-independent split will keep them all on one side; "
                f"give 'speaker' or 'speakers' in {DESCRIPTION}"
            )
        ]

    def _unmatched_notices(self, scan: Scan, table: SpeakerTable | None) -> list[str]:
        notices = []
        spoken = {clip.speaker.removeprefix(f"{self.name}/") for clip in scan.clips}
        if strangers := sorted(set(self.description.genders) - spoken):
            notices.append(f"[genders] of '{self.name}' names speakers of no clip: {', '.join(strangers)}")
        if table is not None and (absent := table.unmatched([clip.path for clip in scan.clips])):
            notices.append(
                f"{format_count(len(absent), 'row')} of {self.description.speakers} "
                f"{choose_form(len(absent), 'names', 'name')} no clip of '{self.name}', "
                f"the first is '{absent[0]}'"
            )
        return notices


@dataclass(frozen=True)
class _PathReader:
    """Maps the paths of a folder corpus to clips."""

    dataset: str
    emotions: Mapping[str, str]
    found: Mapping[str, str | None]
    """Path → what the pattern found in it; empty if there is no pattern."""
    table: SpeakerTable | None
    genders: Mapping[str, Gender]

    @classmethod
    def of(
        cls, dataset: str, description: Description, table: SpeakerTable | None, paths: Sequence[str]
    ) -> _PathReader:
        own = {word_key(folder): emotion for folder, emotion in description.emotions.items()}
        found: dict[str, str | None] = {}
        if description.speaker and paths:
            names = find_speakers(nfc(description.speaker), [*map(nfc, paths)])
            found = dict(zip(paths, names, strict=True))
        return cls(dataset, {**COMMON_WORDS, **own}, found, table, description.genders)

    def clip_of(self, path: str) -> Clip | Ignored:
        parents = path.split("/")[:-1]
        folders = [folder for folder in reversed(parents) if word_key(folder) in self.emotions]
        if not folders:
            return Ignored(
                path, f"none of its folders is named after an emotion; see [emotions] in {DESCRIPTION}"
            )
        emotion = self.emotions[word_key(folders[0])]
        others = [folder for folder in folders[1:] if self.emotions[word_key(folder)] != emotion]
        speaker = self._speaker_of(path)
        return Clip(
            clip_id=f"{self.dataset}/{path.removesuffix(suffix_of(path))}",
            dataset=self.dataset,
            path=path,
            speaker=f"{self.dataset}/{speaker.name}",
            gender=self.genders.get(speaker.name, Gender.UNKNOWN)
            if speaker.gender is Gender.UNKNOWN
            else speaker.gender,
            emotion=emotion,
            label=folders[0],
            note=f"lies in folders {folders[0]} and {others[0]}; the inner one is taken" if others else "",
        )

    def _speaker_of(self, path: str) -> Speaker:
        if self.table is not None:
            return self.table.speaker_of(path) or Speaker(_UNKNOWN)
        return Speaker(self.found.get(path) or _UNKNOWN)


def _same_path(path: str, typed: str) -> bool:
    return PurePosixPath(nfc(path)) == PurePosixPath(nfc(typed))
