"""A corpus that a description file defines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from data.collect import collect, not_audio
from data.described.description import WHOLE, PublishedDescription, read_description
from data.described.listed import Listed, is_listing, read_listed
from data.files import suffix_of, walk
from schemas.clip import Clip, Ignored, Scan
from schemas.labels import Gender


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
        listings = [path for path in tree.other if is_listing(self.description, path)]
        listed = read_listed(self.description, root, listings)
        return collect(self.name, root, tree, partial(self.clip_of, listed=listed), other=self._other)

    def _other(self, path: str) -> Ignored:
        if is_listing(self.description, path):
            return Ignored(path, "says which clip has which emotion")
        return not_audio(path)

    def clip_of(self, path: str, listed: Mapping[str, Listed] = MappingProxyType({})) -> Clip | Ignored:
        """Clip described by the path of an audio file, or the reason why it is ignored.

        ``listed``: what files of the corpus say of its clips.
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
        words = {group: word.lower() for group, word in groups.items()}
        speaker = given.speaker or known.speaker.format(**words)
        if code.lower() not in known.emotions:
            return Ignored(path, f"emotion {code} is none of {', '.join(known.emotions)}")
        intensity = (groups.get("intensity") or given.intensity).lower()
        sentence = groups.get("sentence") or given.sentence
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
            sentence=known.sentences.get(sentence, sentence),
            repetition=int(repetition) if repetition else None,
            session=groups.get("session", ""),
            split=given.split,
            valence=given.valence,
            arousal=given.arousal,
            dominance=given.dominance,
        )

    def _gender_of(self, groups: dict[str, str], speaker: str) -> Gender:
        for gender in (Gender.FEMALE, Gender.MALE):
            if gender in groups:
                return gender
        return self.description.genders.get(groups.get("gender", speaker).lower(), Gender.UNKNOWN)
