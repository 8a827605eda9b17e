"""The clips of a store by corpus, emotion and gender, and the balance of its classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from featurestore.format.documents import DatasetEntry, StoreDocument
from schemas.clip import Status
from schemas.labels import Gender, sort_emotions

ALL = "all corpora"
"""Name of the row for the whole store."""


@dataclass(frozen=True)
class Quartiles:
    """Minimum, quartiles and maximum of a set of numbers."""

    least: float
    lower: float
    median: float
    upper: float
    most: float

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> Quartiles | None:
        """Compute the quartiles of ``values``; None if there are none."""
        if len(values) == 0:
            return None
        return cls(*(float(value) for value in np.quantile(values, (0, 0.25, 0.5, 0.75, 1))))


@dataclass(frozen=True)
class CorpusContents:
    """One corpus. ``clips`` is the sum of ``usable`` and ``bad``; everything else is over usable clips.

    ``intensities``: the corpus's own words and their clips, most frequent first; empty if it gives none.
    ``sentences``: number of different texts spoken; 0 if the corpus gives none.
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
    """Balance of the emotions in a corpus, over usable clips.

    ``shares``: share of each emotion of :attr:`Contents.emotions`; they sum to 1, or are all 0 if no clip is
    usable. ``classes``: emotions with at least one clip. ``imbalance``: clips of the most frequent of these
    divided by those of the rarest. ``chance_ua``: unweighted accuracy (mean recall) of a guess that ignores
    the sound, 1 / ``classes``. ``majority_wa``: accuracy of always predicting the most frequent class. The
    last three are None without classes.
    """

    name: str
    shares: tuple[float, ...]
    classes: int
    imbalance: float | None
    chance_ua: float | None
    majority_wa: float | None


@dataclass(frozen=True)
class Contents:
    """The clips of a store. ``counts``: (corpus, gender, emotion) int64, usable clips.

    ``emotions`` and ``genders`` are those that occur, including bad clips, in the order of the schemas.
    """

    corpora: tuple[CorpusContents, ...]
    emotions: tuple[str, ...]
    genders: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    balance: tuple[Balance, ...]
    """One entry per corpus, followed by :data:`ALL` if there are several."""

    @property
    def clips(self) -> int:
        """Number of clips in all corpora, including bad ones."""
        return sum(corpus.clips for corpus in self.corpora)

    @property
    def bad(self) -> int:
        """Number of clips that cannot be used."""
        return sum(corpus.bad for corpus in self.corpora)

    @property
    def speakers(self) -> int:
        """Number of speakers with a usable clip."""
        return sum(corpus.speakers for corpus in self.corpora)


def count_contents(document: StoreDocument, manifest: pd.DataFrame) -> Contents:
    """Count the clips of a manifest; ``document`` describes its corpora."""
    usable = manifest[manifest["status"] == Status.OK]
    emotions = sort_emotions(manifest["emotion"].unique())
    genders = _genders_in(manifest["gender"])
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


def _genders_in(column: pd.Series[Any]) -> tuple[str, ...]:
    found = set(column.unique())
    return tuple(str(gender) for gender in Gender if gender in found)


def _corpus(name: str, entry: DatasetEntry, usable: pd.DataFrame) -> CorpusContents:
    per_speaker = usable.groupby("speaker", observed=True).size().to_numpy()
    intensities = usable["intensity"][usable["intensity"] != ""].value_counts()
    seconds = usable["duration_s"].to_numpy(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # untrusted numbers may be arbitrarily large
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
