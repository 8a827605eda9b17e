"""Clips that trained models may be tested on: their own test side, or clips that none was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.described.description import person_of
from featurestore.store import FeatureStore
from schemas.errors import RunError
from schemas.messages.counts import choose_form
from training.runs.run import RunRecord
from training.splits.side import ORIGINAL_VIEW
from training.splits.sounds import has_segments
from training.splits.split import Split


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Clips that a model may be tested on and their views, (n,) each, and sentences about excluded clips."""

    clips: NDArray[np.int64]
    views: NDArray[np.int64]
    notices: tuple[str, ...] = ()


def own_test_clips(runs: Sequence[Path], splits: Sequence[Split], store: FeatureStore) -> HeldOut:
    """Test side of the runs.

    Raises :class:`RunError` unless all runs have the same protocol and test clips, unchanged in ``store``.
    """
    first = splits[0]
    for path, split in zip(runs, splits, strict=True):
        split.require_unchanged(store.manifest)
        of_first = (first.protocol, first.fold, first.test, first.views)
        if (split.protocol, split.fold, split.test, split.views) != of_first:
            raise RunError(
                f"{path} and {runs[0]} were tested on different clips; train both on the same split: "
                f"--split {runs[0] / 'split.json'}"
            )
    return HeldOut(*first.view_positions(store.manifest, "test"))


def unheard_clips(splits: Sequence[Split], records: Sequence[RunRecord], store: FeatureStore) -> HeldOut:
    """Clips whose speaker and recording no model was trained or validated on."""
    manifest = store.manifest
    heard = {person_of(speaker) for record in records for speaker in record.heard}
    of_speaker = manifest["speaker"].map(person_of).isin(heard).to_numpy()
    recordings = {
        split.audio_sha256[clip] for split in splits for clip in (*split.train, *split.validation)
    } - {""}
    known = manifest["audio_sha256"].isin(recordings).to_numpy() & ~of_speaker
    model = "the model was" if len(records) == 1 else "a model was"
    under = "under other names, or other segments of them" if has_segments(manifest) else "under other names"
    notices = [
        f"left out {count} of {len(manifest)} {choose_form(len(manifest), 'clip')}: {what}"
        for count, what in (
            (int(of_speaker.sum()), f"{model} trained or validated on their speakers"),
            (int(known.sum()), f"{model} trained or validated on the same recordings {under}"),
        )
        if count
    ]
    clips = np.flatnonzero(~(of_speaker | known)).astype(np.int64)
    return HeldOut(clips, np.full_like(clips, ORIGINAL_VIEW), tuple(notices))
