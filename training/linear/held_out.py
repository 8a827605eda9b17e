"""What is held out as a whole when clips decide about a classifier."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from training.metrics.temperature import HeldOutBy
from training.splits.identical import join_identical
from training.splits.sounds import sounds_of


@dataclass(frozen=True)
class HeldOutUnits:
    """``names`` : the unit of each clip. ``by`` : what the units are."""

    names: tuple[str, ...]
    by: HeldOutBy


def units_to_hold_out(clips: pd.DataFrame) -> HeldOutUnits:
    """The speaker of each of ``clips``, rows of the manifest; of a single speaker, the sentence, if known.

    Sentences that share identical recordings are one.
    """
    speakers = clips["speaker"].astype(str)
    named = clips["sentence"].fillna("").astype(str)
    if len(speakers.unique()) > 1 or (named == "").any():
        return HeldOutUnits(tuple(speakers), "speaker")
    sentences = join_identical(clips["dataset"].astype(str) + "/" + named, sounds_of(clips))
    return HeldOutUnits(tuple(sentences), "sentence")
