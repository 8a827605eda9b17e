"""Clips that trained models may be tested on: their own test side, or what none of them has heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from schemas.errors import RunError
from training.runs.run import RunRecord
from training.splits.side import ORIGINAL_VIEW
from training.splits.split import Split


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Clips that a model may be tested on and their views, (n,) each; what is to be said of the others."""

    clips: NDArray[np.int64]
    views: NDArray[np.int64]
    notices: tuple[str, ...] = ()


def own_test_clips(runs: Sequence[Path], splits: Sequence[Split], store: FeatureStore) -> HeldOut:
    """Test side of the runs: the same of all, under the same protocol."""
    for path, split in zip(runs, splits, strict=True):
        split.require_unchanged(store.manifest)
        if (split.title, {*split.test}, split.views) != (splits[0].title, {*splits[0].test}, splits[0].views):
            raise RunError(
                f"{path} was tested on other clips than {runs[0]}; train both on the same split: "
                f"--split {runs[0] / 'split.json'}"
            )
    return HeldOut(*splits[0].view_positions(store.manifest, "test"))


def unheard_clips(splits: Sequence[Split], records: Sequence[RunRecord], store: FeatureStore) -> HeldOut:
    """Clips of speakers and of recordings that no model was trained or validated on."""
    manifest = store.manifest
    heard = {speaker for record in records for speaker in record.heard}
    of_speaker = manifest["speaker"].isin(heard).to_numpy()
    recordings = {
        split.audio_sha256[clip] for split in splits for clip in (*split.train, *split.validation)
    } - {""}
    known = manifest["audio_sha256"].isin(recordings).to_numpy() & ~of_speaker
    model = "the model was" if len(records) == 1 else "a model was"
    notices = [
        f"{count} of {len(manifest)} clips are {what} and are left out"
        for count, what in (
            (int(of_speaker.sum()), f"of speakers that {model} trained or chosen on"),
            (int(known.sum()), f"recordings that {model} trained or chosen on, under another name"),
        )
        if count
    ]
    clips = np.flatnonzero(~(of_speaker | known)).astype(np.int64)
    return HeldOut(clips, np.full_like(clips, ORIGINAL_VIEW), tuple(notices))
