"""A corpus that a description file defines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from data.collect import collect, not_audio
from data.described.description import WHOLE, PublishedDescription, read_description
from data.files import suffix_of, walk
from schemas.clip import Clip, Ignored, Scan
from schemas.errors import CorpusError
from schemas.files.regular_file import read_regular_file
from schemas.labels import Gender


@dataclass(frozen=True)
class Listed:
    """What a list of a corpus says of a clip; ratings are None if it does not rate it."""

    emotion: str
    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None

    @classmethod
    def of(cls, line: re.Match[str]) -> Listed:
        """Read a line; raises ValueError if a rating is not a number."""
        words = line.groupdict()
        valence, arousal, dominance = (
            float(word) if (word := words.get(name)) else None for name in ("valence", "arousal", "dominance")
        )
        return cls(line["emotion"], valence, arousal, dominance)

    def __str__(self) -> str:
        ratings = [
            f"{rating:g}" for rating in (self.valence, self.arousal, self.dominance) if rating is not None
        ]
        return f"{self.emotion} ({', '.join(ratings)})" if ratings else self.emotion


@dataclass(frozen=True)
class DescribedCorpus:
    """A published corpus whose file names tell emotion and speaker."""

    name: str

    @property
    def description(self) -> PublishedDescription:
        """What its file says, read when it is first needed."""
        return read_description(self.name)

    @property
    def title(self) -> str:
        """Name as written by its authors."""
        return self.description.title

    @property
    def licence(self) -> str:
        """Licence or terms of use, in a few words."""
        return self.description.licence

    @property
    def home_page(self) -> str:
        """URL of the corpus's own page."""
        return self.description.home_page

    @property
    def how_to_get(self) -> str:
        """One sentence: where to download the corpus and which folder to put it into."""
        return self.description.how_to_get

    @property
    def expected_clips(self) -> int | None:
        """Number of clips in the complete corpus; None if unknown."""
        return self.description.expected_clips

    @property
    def folder_names(self) -> tuple[str, ...]:
        """Names of its folder under the corpora root, best first."""
        return self.description.folder_names

    def scan(self, root: Path) -> Scan:
        """Find the clips under ``root``: :meth:`data.corpus.Corpus.scan`."""
        tree = walk(root)
        listed = self._read_lists(root, tree.other)
        return collect(self.name, root, tree, partial(self.clip_of, listed=listed), other=self._other)

    def _other(self, path: str) -> Ignored:
        return Ignored(path, "says which clip has which emotion") if self._is_list(path) else not_audio(path)

    def _is_list(self, path: str) -> bool:
        lists = self.description.lists
        return lists is not None and re.search(rf"(?:^|/){lists.files}$", path) is not None

    def _read_lists(self, root: Path, paths: Sequence[str]) -> dict[str, Listed]:
        """What the corpus's lists say of each clip, by the name under which they have it.

        Raises :class:`CorpusError` if a list cannot be read, or if two lines contradict each other.
        """
        lists = self.description.lists
        found: dict[str, Listed] = {}
        for path in filter(self._is_list, paths if lists else ()):
            try:
                text = read_regular_file(root / path).decode("utf-8", "replace")
            except OSError as error:
                raise CorpusError(f"cannot read '{root / path}': {error.strerror or error}") from error
            for line in re.finditer(lists.line if lists else "", text, re.MULTILINE):
                listed = Listed.of(line)
                first = found.setdefault(line["clip"].lower(), listed)
                if first != listed:
                    raise CorpusError(
                        f"'{root / path}' gives {line['clip']} the emotion {listed}, but an earlier line "
                        f"{first}; get a fresh copy of the corpus"
                    )
        return found

    def clip_of(self, path: str, listed: Mapping[str, Listed] = MappingProxyType({})) -> Clip | Ignored:
        """Clip described by the path of an audio file, or the reason why it is ignored.

        ``listed``: emotions and ratings that files of the corpus give.
        """
        known = self.description
        match = known.expression.fullmatch(path.removesuffix(suffix_of(path)))
        if match is None:
            return Ignored(path, f"not named like a clip of {self.name} ({known.example})")
        groups = {group: word for group, word in match.groupdict().items() if word is not None}
        clip_id = groups.get("id", groups[WHOLE])
        given = listed.get(clip_id.lower(), Listed(""))
        code = groups.get("emotion") or given.emotion
        if not code:
            return Ignored(path, f"no list of the corpus gives {clip_id} an emotion")
        if code.lower() in known.left_out:
            return Ignored(path, f"emotion {code}: {known.left_out[code.lower()]}")
        speaker = known.speaker.format(**{group: word.lower() for group, word in groups.items()})
        if code.lower() not in known.emotions:
            return Ignored(path, f"emotion {code} is none of {', '.join(known.emotions)}")
        intensity = groups.get("intensity", "").lower()
        repetition = groups.get("repetition")
        return Clip(
            clip_id=f"{self.name}/{clip_id}",
            dataset=self.name,
            path=path,
            speaker=f"{self.name}/{speaker}",
            gender=self._gender_of(groups, speaker),
            emotion=known.emotions[code.lower()],
            label=code,
            intensity=known.intensities.get(intensity, intensity),
            sentence=groups.get("sentence", ""),
            repetition=int(repetition) if repetition else None,
            session=groups.get("session", ""),
            valence=given.valence,
            arousal=given.arousal,
            dominance=given.dominance,
        )

    def _gender_of(self, groups: dict[str, str], speaker: str) -> Gender:
        for gender in (Gender.FEMALE, Gender.MALE):
            if gender in groups:
                return gender
        return self.description.genders.get(groups.get("gender", speaker).lower(), Gender.UNKNOWN)
