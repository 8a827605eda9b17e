"""Splits of a manifest under any protocol."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from schemas.clip import Status
from schemas.protocol import SplitSpec
from training.splits.assemble import Draw
from training.splits.cross_corpus import cross_corpus
from training.splits.emobox import emobox
from training.splits.folds import grouped_folds, leave_one_speaker_out
from training.splits.random import at_random, at_random_with_leaked_views
from training.splits.side import ORIGINAL_VIEW
from training.splits.speaker import by_speaker
from training.splits.speaker_sentence import by_speaker_and_sentence
from training.splits.split import Split


def splits_of(
    manifest: pd.DataFrame,
    spec: SplitSpec,
    seed: int,
    store_digest: str = "",
    views: Sequence[int] = (ORIGINAL_VIEW,),
) -> tuple[Split, ...]:
    """Draw all splits of a protocol: one per fold, or a single one.

    A draw depends on ``seed`` and on the clips, not on their order. The draw of one corpus does not depend on
    the other corpora.

    Parameters
    ----------
    manifest : DataFrame
        Has the columns of :data:`schemas.tables.MANIFEST_SCHEMA`; may hold part of a store's rows. Bad clips
        are on no side.
    store_digest : str
        Recorded in the splits.
    views : sequence of int
        Views to draw from under ``spec.leak_views``.

    Raises
    ------
    SplitError
        If these clips cannot be split this way; the message gives the cause and the next step.
    """
    usable = manifest[manifest["status"] == Status.OK].reset_index(drop=True)
    draw = Draw(spec, seed, store_digest)
    match spec.protocol:
        case "speaker":
            return (by_speaker(usable, draw),)
        case "loso":
            return leave_one_speaker_out(usable, draw)
        case "kfold":
            return grouped_folds(usable, draw)
        case "speaker+sentence":
            return by_speaker_and_sentence(usable, draw)
        case "emobox":
            return emobox(usable, draw)
        case "cross-corpus":
            return (cross_corpus(usable, draw),)
        case "random" if spec.leak_views:
            return (at_random_with_leaked_views(usable, draw, views),)
        case "random":
            return (at_random(usable, draw),)
