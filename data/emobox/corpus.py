"""A corpus from EmoBox's metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data.collect import not_audio
from data.corpus import Corpus
from data.emobox.metadata import LABEL_MAP, ListedClip, Metadata, read_metadata
from data.emobox.recordings import RecordingFinder
from data.files import walk
from data.own_recordings.description import require_own_name
from data.own_recordings.emotion_words import COMMON_WORDS, word_key
from data.registry import BUILT_IN, CORPORA
from schemas.clip import Clip, Ignored, Scan
from schemas.errors import CorpusNotFoundError, UsageError
from schemas.labels import Gender, is_emotion_name
from schemas.messages.counts import choose_form, format_count
from schemas.names import fold_name

_UNKNOWN = "unknown"
_NO_EMOTION = frozenset({"noagreement", "unknown"})
"""Words of the maps for labels that name no emotion."""


@dataclass(frozen=True)
class _Files:
    """Files of a folder, and what the corpus's own rules say of them."""

    clips: RecordingFinder
    """Finds the clips of a known corpus, by path or by clip id."""
    audio: RecordingFinder
    other: RecordingFinder
    """Finds files that are not read as audio."""
    described: Mapping[str, Clip]
    """Path → clip of a known corpus."""
    why: Mapping[str, str]
    """Path → why it is no clip of a known corpus."""

    @classmethod
    def of(cls, root: Path, known: Corpus | None, wanted: Sequence[str]) -> _Files:
        tree = walk(root)
        own = known.scan(root) if known else Scan("", root, ())
        names = [(name, clip.path) for clip in own.clips for name in (clip.path, clip.clip_id)]
        return cls(
            clips=RecordingFinder(wanted, names),
            audio=RecordingFinder(wanted, zip(tree.audio, tree.audio, strict=True)),
            other=RecordingFinder(wanted, zip(tree.other, tree.other, strict=True)),
            described={clip.path: clip for clip in own.clips},
            why={entry.path: entry.reason for entry in own.ignored},
        )


@dataclass(frozen=True)
class EmoboxCorpus:
    """Recordings in EmoBox's lists.

    The lists give the emotion and the fold. Everything else, speakers above all, is what the corpus's own
    rules find in its files, if this package knows the corpus.
    """

    name: str
    metadata: Metadata
    known: Corpus | None
    folder_names: tuple[str, ...] = ()

    @classmethod
    def open(cls, folder: Path, name: str) -> EmoboxCorpus:
        """Read the metadata in ``folder``.

        Raises :class:`UsageError` if ``name`` is invalid or belongs to another known corpus, and
        :class:`~schemas.errors.CorpusError` if the metadata is unusable.
        """
        metadata = read_metadata(folder)
        known = corpus_of(metadata.dataset)
        if name not in CORPORA:
            require_own_name(name)
        elif known is None or known.name != name:
            raise UsageError(
                f"'{name}' is another corpus than the {metadata.dataset} of '{folder}'; give it as "
                f"{known.name if known else 'a name of your own'}={folder}"
            )
        return cls(name, metadata, known)

    @property
    def title(self) -> str:
        """Name as written by its authors, if it is known."""
        return self.known.title if self.known else f"{self.metadata.dataset} of EmoBox"

    @property
    def licence(self) -> str:
        """Licence or terms of use, in a few words."""
        return self.known.licence if self.known else "not stated"

    @property
    def home_page(self) -> str:
        """URL of the corpus's own page, or that of EmoBox."""
        return self.known.home_page if self.known else "https://github.com/emo-box/EmoBox"

    @property
    def how_to_get(self) -> str:
        """One sentence: where to download the corpus."""
        where = "follow the link to the corpus in EmoBox's README, https://github.com/emo-box/EmoBox"
        return self.known.how_to_get if self.known else where

    @property
    def expected_clips(self) -> int:
        """Number of clips in the lists."""
        return len(self.metadata.clips)

    def scan(self, root: Path) -> Scan:
        """Find the listed recordings under ``root``: :meth:`data.corpus.Corpus.scan`.

        Raises :class:`CorpusNotFoundError` if there is none of them.
        """
        files = _Files.of(root, self.known, [listed.wav for listed in self.metadata.clips])
        kept: dict[str, Clip] = {}
        ignored: list[Ignored] = []
        for listed in self.metadata.clips:
            found = self._take(listed, files)
            if isinstance(found, Ignored):
                ignored.append(found)
            elif kept.setdefault(found.clip_id, found) is not found:
                ignored.append(Ignored(found.path, f"the lists name it again as {listed.key}"))
        if not kept:
            first = ignored[0]
            many = format_count(self.expected_clips, "recording")
            raise CorpusNotFoundError(
                f"none of the {many} in '{self.metadata.folder}' can be used from '{root}' ({first.path}: "
                f"{first.reason}); put them there, named as in the lists"
            )
        return Scan(
            dataset=self.name,
            root=root,
            clips=tuple(sorted(kept.values(), key=lambda clip: (clip.speaker, clip.clip_id))),
            ignored=tuple(sorted(ignored, key=lambda item: item.path)),
            notices=(*self.metadata.notices, *self._notices([*kept.values()], len(ignored))),
        )

    def _take(self, listed: ListedClip, files: _Files) -> Clip | Ignored:
        paths = files.clips.find(listed.wav) or files.audio.find(listed.wav)
        if not paths:
            converted = files.other.find(listed.wav)
            return not_audio(converted[0]) if converted else Ignored(listed.wav, "there is no such file")
        if len(paths) > 1:
            return Ignored(listed.wav, f"may be {paths[0]} or {paths[1]}; remove one of them")
        (path,) = paths
        if self.known and path not in files.described:
            return Ignored(path, files.why.get(path, f"no clip of {self.known.name}"))
        return self._clip_of(listed, path, files.described.get(path))

    def _clip_of(self, listed: ListedClip, path: str, own: Clip | None) -> Clip | Ignored:
        emotion = emotion_of(listed.label, self.metadata.label_map)
        if emotion is None:
            return Ignored(path, f"{LABEL_MAP} has no emotion for '{listed.label[:60]}'")
        if own is None:
            key = listed.key.removeprefix(f"{self.metadata.dataset}-")
            return Clip(
                clip_id=f"{self.name}/{key}",
                dataset=self.name,
                path=path,
                speaker=f"{self.name}/{_UNKNOWN}",
                gender=Gender.UNKNOWN,
                emotion=emotion,
                label=listed.label,
                split=listed.split,
            )
        return replace(
            own,
            clip_id=f"{self.name}/{own.clip_id.partition('/')[2]}",
            dataset=self.name,
            speaker=f"{self.name}/{own.speaker.partition('/')[2]}",
            emotion=emotion,
            label=listed.label,
            split=listed.split,
        )

    def _notices(self, clips: Sequence[Clip], missing: int) -> Iterator[str]:
        unknown = sum(clip.speaker == f"{self.name}/{_UNKNOWN}" for clip in clips)
        if unknown:
            yield (
                f"the speaker of {unknown:,} of {format_count(len(clips), 'clip')} of '{self.name}' is not "
                f"known: EmoBox's metadata names no speakers, and a speaker-independent split will keep them "
                f"all on one side"
            )
        if missing:
            yield (
                f"{missing:,} of {format_count(self.expected_clips, 'recording')} in EmoBox's lists "
                f"{choose_form(missing, 'is', 'are')} not used"
            )


def corpus_of(dataset: str) -> Corpus | None:
    """The corpus of this package that EmoBox calls ``dataset``; None if there is none."""
    wanted = fold_name(dataset)
    for corpus in BUILT_IN.values():
        if wanted in map(fold_name, (corpus.name, *corpus.folder_names)):
            return corpus
    return None


def emotion_of(label: str, label_map: Mapping[str, str]) -> str | None:
    """Canonical emotion of a label: of the first word if the map gives several; None if it has none."""
    word = label_map.get(label.casefold(), "").partition(",")[0].strip()
    if word_key(word) in _NO_EMOTION:
        return None
    emotion = COMMON_WORDS.get(word_key(word), word.lower())
    return str(emotion) if is_emotion_name(emotion) else None
