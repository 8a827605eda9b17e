"""Who speaks, and what: clips by corpus, emotion and gender, and how even the classes are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from featurestore.format.documents import DatasetEntry, StoreDocument
from schemas.clip import Status
from schemas.labels import Emotion, Gender

ALL = "all corpora"
"""Name of the row that stands for the store as a whole."""


@dataclass(frozen=True)
class Quartiles:
    """Least, quartiles and greatest of a set of numbers."""

    least: float
    lower: float
    median: float
    upper: float
    most: float

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> Quartiles | None:
        """Quartiles of at least one number; None for none."""
        if len(values) == 0:
            return None
        return cls(*(float(value) for value in np.quantile(values, (0, 0.25, 0.5, 0.75, 1))))


@dataclass(frozen=True)
class CorpusContents:
    """What one corpus brings. ``clips`` are ``usable`` and ``bad`` together; the rest counts usable ones.

    ``intensities`` : the corpus's words with their clips, the most frequent first; empty where it has none.
    ``sentences`` : different texts that are spoken; 0 where the corpus does not tell.
    """

    name: str
    title: str
    licence: str
    home_page: str
    clips: int
    usable: int
    bad: int
    ignored: int
    speakers: int
    clips_per_speaker: Quartiles | None
    hours: float
    intensities: tuple[tuple[str, int], ...]
    sentences: int


@dataclass(frozen=True)
class Balance:
    """How even the emotions of a corpus are, among usable clips.

    ``shares`` : of each emotion of :attr:`Contents.emotions`, summing to 1, or all 0 where no clip is usable.
    ``classes`` : emotions with a clip. ``imbalance`` : clips of the largest of these over those of the
    smallest. ``chance_ua`` : unweighted accuracy (mean recall) of a guess that ignores the sound,
    1 / ``classes``. ``majority_wa`` : share of clips that is right when always the largest is said.
    Each is None without classes.
    """

    name: str
    shares: tuple[float, ...]
    classes: int
    imbalance: float | None
    chance_ua: float | None
    majority_wa: float | None


@dataclass(frozen=True)
class Contents:
    """A store's clips. ``counts`` : (corpus, gender, emotion) int64, usable clips.

    ``emotions`` and ``genders`` are those that occur, bad clips included, in the order of the schemas.
    """

    corpora: tuple[CorpusContents, ...]
    emotions: tuple[str, ...]
    genders: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    balance: tuple[Balance, ...]
    """Of each corpus, then, where there are several, of :data:`ALL`."""

    @property
    def clips(self) -> int:
        """Clips of all corpora, bad ones included."""
        return sum(corpus.clips for corpus in self.corpora)

    @property
    def bad(self) -> int:
        """Clips that cannot be used."""
        return sum(corpus.bad for corpus in self.corpora)

    @property
    def speakers(self) -> int:
        """Speakers with a usable clip."""
        return sum(corpus.speakers for corpus in self.corpora)


def contents(document: StoreDocument, manifest: pd.DataFrame) -> Contents:
    """Count the clips of a manifest whose corpora ``document`` describes."""
    usable = manifest[manifest["status"] == Status.OK]
    emotions = _words_in(manifest["emotion"], tuple(Emotion))
    genders = _words_in(manifest["gender"], tuple(Gender))
    names = sorted(document.datasets)
    counts = np.zeros((len(names), len(genders), len(emotions)), np.int64)
    if len(usable):
        where = tuple(
            pd.Index(values).get_indexer(pd.Index(usable[column].astype(str)))
            for column, values in (("dataset", names), ("gender", genders), ("emotion", emotions))
        )
        np.add.at(counts, where, 1)
    return Contents(
        corpora=tuple(
            _corpus(name, document.datasets[name], usable[usable["dataset"] == name]) for name in names
        ),
        emotions=emotions,
        genders=genders,
        counts=counts,
        balance=(
            *(_balance(name, part.sum(axis=0)) for name, part in zip(names, counts, strict=True)),
            *((_balance(ALL, counts.sum(axis=(0, 1))),) if len(names) > 1 else ()),
        ),
    )


def _words_in(column: pd.Series[Any], order: tuple[str, ...]) -> tuple[str, ...]:
    found = set(column.unique())
    return tuple(str(word) for word in order if word in found)


def _corpus(name: str, entry: DatasetEntry, usable: pd.DataFrame) -> CorpusContents:
    per_speaker = usable.groupby("speaker", observed=True).size().to_numpy()
    intensities = usable["intensity"][usable["intensity"] != ""].value_counts()
    seconds = usable["duration_s"].to_numpy(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # numbers of a stranger may be as large as they like
        hours = float(seconds[np.isfinite(seconds)].sum()) / 3600
    return CorpusContents(
        name=name,
        title=entry.title,
        licence=entry.licence,
        home_page=entry.home_page,
        clips=entry.clips,
        usable=len(usable),
        bad=entry.bad,
        ignored=entry.ignored,
        speakers=len(per_speaker),
        clips_per_speaker=Quartiles.of(per_speaker),
        hours=hours,
        intensities=tuple(
            sorted(((str(word), int(n)) for word, n in intensities.items()), key=lambda x: (-x[1], x[0]))
        ),
        sentences=int(usable["sentence"][usable["sentence"] != ""].nunique()),
    )


def _balance(name: str, clips: npt.NDArray[np.int64]) -> Balance:
    present = clips[clips > 0]
    total = int(clips.sum())
    return Balance(
        name=name,
        shares=tuple(float(share) for share in clips / max(total, 1)),
        classes=len(present),
        imbalance=float(present.max() / present.min()) if len(present) else None,
        chance_ua=1 / len(present) if len(present) else None,
        majority_wa=float(present.max() / total) if len(present) else None,
    )
