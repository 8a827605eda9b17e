"""A corpus that a description file defines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.collect import collect
from data.described.description import WHOLE, CorpusDescription, read_description
from data.files import suffix_of, walk
from schemas.clip import Clip, Ignored, Scan
from schemas.labels import Gender


@dataclass(frozen=True)
class DescribedCorpus:
    """A published corpus whose file names tell emotion and speaker."""

    name: str

    @property
    def description(self) -> CorpusDescription:
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
        return collect(self.name, root, walk(root), self.clip_of)

    def clip_of(self, path: str) -> Clip | Ignored:
        """Clip described by the path of an audio file, or the reason why it is ignored."""
        known = self.description
        match = known.expression.fullmatch(path.removesuffix(suffix_of(path)))
        if match is None:
            return Ignored(path, f"not named like a clip of {self.name} ({known.example})")
        groups = {group: word for group, word in match.groupdict().items() if word is not None}
        code, speaker = groups["emotion"], groups["speaker"].lower()
        if code.lower() not in known.emotions:
            return Ignored(path, f"emotion {code} is none of {', '.join(known.emotions)}")
        intensity = groups.get("intensity", "").lower()
        repetition = groups.get("repetition")
        return Clip(
            clip_id=f"{self.name}/{groups.get('id', groups[WHOLE])}",
            dataset=self.name,
            path=path,
            speaker=f"{self.name}/{speaker}",
            gender=self._gender_of(groups, speaker),
            emotion=known.emotions[code.lower()],
            label=code,
            intensity=known.intensities.get(intensity, intensity),
            sentence=groups.get("sentence", ""),
            repetition=int(repetition) if repetition else None,
        )

    def _gender_of(self, groups: dict[str, str], speaker: str) -> Gender:
        for gender in (Gender.FEMALE, Gender.MALE):
            if gender in groups:
                return gender
        return self.description.genders.get(groups.get("gender", speaker).lower(), Gender.UNKNOWN)
