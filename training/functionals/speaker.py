"""Speaker normalisation: functionals of a clip against those of all clips of its speaker.

What a voice is like, whatever it feels, is taken away (Busso et al. 2013, Iterative feature normalization
scheme for automatic emotion detection from speech, doi:10.1109/T-AFFC.2013.26; here of all clips at once).
Mean and deviation are over every usable clip of the speaker in the store, so that no label, no filter and no
split has a part in them. But a tested clip is seen beside the others of its speaker: results say so, a single
clip of a new speaker cannot be told in this way, and where a speaker is always angry, anger is taken away.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from featurestore.store import FeatureStore
from schemas.clip import Status
from schemas.errors import RunError, UsageError
from training.samples.samples import Samples
from training.splits.split import Split

FEWEST_CLIPS = 5
"""Of a speaker; of fewer, mean and deviation tell more of the clips than of the voice."""

_CONSTANT = 1e-5
"""Share of its mean by which a functional that does not change seems to vary, at most, beside 1e-6."""


def whole_speakers(store: FeatureStore, samples: Samples) -> tuple[Samples, NDArray[np.int64]]:
    """All usable clips of the speakers of ``samples`` in the same views, and which of these ``samples`` are.

    Raises :class:`RunError` where a speaker has fewer than :data:`FEWEST_CLIPS` usable clips.
    """
    manifest = store.manifest
    usable = (manifest["status"] == Status.OK).to_numpy()
    speakers = manifest["speaker"].to_numpy()
    _require_clips(manifest, set(speakers[samples.clips]))
    views = samples.view_indices
    clips = np.flatnonzero(usable & np.isin(speakers, speakers[samples.clips])).astype(np.int64)
    no_target = np.zeros(len(clips) * len(views), dtype=np.int64)
    wider = Samples(np.tile(clips, len(views)), np.repeat(np.asarray(views), len(clips)), no_target)
    rows = np.searchsorted(views, samples.views) * len(clips) + np.searchsorted(clips, samples.clips)
    return wider, rows.astype(np.int64)


def normalise_by_speaker(vectors: Tensor, store: FeatureStore, samples: Samples) -> None:
    """Give each functional zero mean and unit population deviation over each speaker's clips, in place.

    ``vectors`` (n, F) float32 are those of ``samples``, whole speakers; each view is normalised by itself. A
    functional that does not change becomes 0.
    """
    speakers = store.manifest["speaker"].to_numpy()[samples.clips]
    for speaker in np.unique(speakers):
        for view in samples.view_indices:
            rows = torch.from_numpy(np.flatnonzero((speakers == speaker) & (samples.views == view)))
            rows = rows.to(vectors.device)
            own = vectors[rows]
            mean, deviation = own.mean(0), own.std(0, correction=0)
            constant = deviation < 1e-6 + _CONSTANT * mean.abs()
            vectors[rows] = torch.where(constant, 0.0, (own - mean) / deviation)


def require_whole_speakers(manifest: pd.DataFrame, splits: Iterable[Split]) -> None:
    """Raise where splits cannot be normalised by speaker, before anything is read.

    :class:`UsageError` under the protocol random, which has clips of one speaker on several sides;
    :class:`RunError` where a speaker has fewer than :data:`FEWEST_CLIPS` usable clips.
    """
    heard: set[str] = set()
    for split in splits:
        if split.protocol == "random":
            raise UsageError(
                "normalisation by speaker takes whole speakers, and protocol random has the clips of each on "
                "several sides; choose --protocol speaker, kfold:K or loso"
            )
        heard.update((*split.train, *split.validation, *split.test))
    _require_clips(manifest, set(manifest["speaker"][manifest["clip_id"].isin(heard)]))


def _require_clips(manifest: pd.DataFrame, speakers: set[str]) -> None:
    usable = manifest[(manifest["status"] == Status.OK) & manifest["speaker"].isin(speakers)]
    counts = usable["speaker"].value_counts()
    few = sorted(speaker for speaker in speakers if counts.get(speaker, 0) < FEWEST_CLIPS)
    if few:
        raise RunError(
            f"normalisation by speaker takes {FEWEST_CLIPS} clips of each, and {few[0]} has "
            f"{counts.get(few[0], 0)}; leave out such corpora by --datasets, or train with "
            "--set input.normalise=standard"
        )
