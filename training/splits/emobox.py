"""The protocol ``emobox``: the test folds of the EmoBox benchmark, to be set beside its results.

Ma et al. 2024, EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and Benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from schemas.errors import SplitError
from training.splits.assemble import Draw
from training.splits.folds import folds_of
from training.splits.people import people_of
from training.splits.split import Split

FOLDS: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        "ravdess": (
            ("01", "11", "20", "21"),
            ("04", "10", "12", "14"),
            ("08", "09", "19", "23"),
            ("03", "05", "07", "24"),
            ("02", "15", "16", "18"),
            ("06", "13", "17", "22"),
        ),
        "savee": (("JE",), ("KL",), ("DC",), ("JK",)),
    }
)
"""Speakers that are tested, by corpus and fold. Validation is this project's: EmoBox states none by
speaker."""

SHARING_SPEAKERS = frozenset({"cremad", "tess"})
"""Corpora for which EmoBox has folds with the same speakers on both sides."""


def emobox(usable: pd.DataFrame, draw: Draw) -> tuple[Split, ...]:
    """The folds of the one corpus in ``usable``.

    Raises
    ------
    SplitError
        If there is no corpus or more than one, if its folds are unknown or share speakers, if any of their
        speakers has no usable clip, or if two of them share a recording.
    """
    corpora = sorted(usable["dataset"].unique())
    known = [name for name in corpora if name in FOLDS]
    if len(corpora) != 1:
        advice = f"choose one with --datasets {known[0]}" if known else f"it knows {' and '.join(FOLDS)}"
        raise SplitError(
            f"emobox tests one corpus, and here are {', '.join(corpora) or 'no usable clips'}; {advice}"
        )
    (corpus,) = corpora
    if corpus in SHARING_SPEAKERS:
        raise SplitError(
            f"emobox is refused for {corpus}: its folds share speakers on both sides; take --protocol loso"
        )
    if not known:
        raise SplitError(
            f"emobox has no folds for {corpus} here, only for {' and '.join(FOLDS)}; take --protocol loso"
        )
    folds = [tuple(f"{corpus}/{speaker}" for speaker in fold) for fold in FOLDS[corpus]]
    people = people_of(usable)
    _require_speakers(corpus, folds, {speaker for person in people for speaker in person.speakers})
    tested = []
    for index, fold in enumerate(folds, start=1):
        members = [person for person in people if set(person.speakers) & set(fold)]
        straddling = [person for person in members if not set(person.speakers) <= set(fold)]
        if straddling:
            raise SplitError(
                f"{straddling[0].name} share a recording and are in different folds of emobox; remove the "
                "copy from the corpus, or take --protocol loso"
            )
        tested.append((str(index), members))
    return folds_of(usable, tested, draw)


def _require_speakers(corpus: str, folds: list[tuple[str, ...]], held: set[str]) -> None:
    wanted = {speaker for fold in folds for speaker in fold}
    missing, beyond = sorted(wanted - held), sorted(held - wanted)
    if missing:
        raise SplitError(
            f"emobox needs all {len(wanted)} speakers of {corpus} to be comparable, and the store lacks "
            f"{', '.join(missing)}; build it with the whole corpus, or take --protocol loso"
        )
    if beyond:
        raise SplitError(f"emobox knows no {', '.join(beyond)} of {corpus}; take --protocol loso")
