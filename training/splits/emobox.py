"""The protocol ``emobox``: the test folds of the EmoBox benchmark, for comparison with its results.

Ma et al. 2024, EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and Benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from schemas.errors import SplitError
from training.splits.assemble import Draw
from training.splits.folds import folds_of
from training.splits.listed_folds import listed_folds, numbers_of_folds
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
        "iemocap": tuple((f"ses0{session}_f", f"ses0{session}_m") for session in range(1, 6)),
    }
)
"""Test speakers by corpus and fold. Validation speakers are drawn by this project: EmoBox defines none."""

_KNOWN = f"{', '.join(sorted(FOLDS)[:-1])} and {max(FOLDS)}"

SHARING_SPEAKERS = frozenset({"cremad", "tess", "emodb", "shemo", "urdu"})
"""Corpora whose EmoBox folds have the same speakers in training and test."""


def emobox(usable: pd.DataFrame, draw: Draw) -> tuple[Split, ...]:
    """Folds of the only corpus in ``usable``: those of EmoBox's metadata, if the corpus was built from it
    (:mod:`training.splits.listed_folds`), else those of :data:`FOLDS`.

    Raises
    ------
    SplitError
        If there is no corpus or more than one, if EmoBox has no folds for it or folds that share speakers, if
        a speaker of the folds has no usable clip, or if speakers of different folds share a recording.
    """
    corpora = sorted(usable["dataset"].unique())
    known = [name for name in corpora if name in FOLDS]
    if len(corpora) != 1:
        advice = f"choose one with --datasets {known[0]}" if known else f"it supports {_KNOWN}"
        raise SplitError(
            f"emobox tests one corpus, but the store has {', '.join(corpora) or 'no usable clips'}; {advice}"
        )
    (corpus,) = corpora
    if numbers_of_folds(usable):
        return listed_folds(usable, draw)
    if corpus in SHARING_SPEAKERS:
        raise SplitError(
            f"emobox cannot be used for {corpus}: its folds have the same speakers in training and test; use "
            "--protocol loso, or build the store from EmoBox's metadata for a speaker-dependent result"
        )
    if not known:
        raise SplitError(
            f"emobox has no folds for {corpus}, only for {_KNOWN}; use --protocol loso, or build the store "
            "from EmoBox's metadata, which has folds"
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
                f"{straddling[0].name} share a recording but are in different folds of emobox; remove the "
                "copy from the corpus, or use --protocol loso"
            )
        tested.append((str(index), members))
    return folds_of(usable, tested, draw)


def _require_speakers(corpus: str, folds: list[tuple[str, ...]], held: set[str]) -> None:
    wanted = {speaker for fold in folds for speaker in fold}
    missing, beyond = sorted(wanted - held), sorted(held - wanted)
    if missing:
        raise SplitError(
            f"emobox needs all {len(wanted)} speakers of {corpus} to be comparable, but the store lacks "
            f"{', '.join(missing)}; build it with the whole corpus, or use --protocol loso"
        )
    if beyond:
        raise SplitError(f"emobox has no fold for {', '.join(beyond)} of {corpus}; use --protocol loso")
