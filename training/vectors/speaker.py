"""Speaker normalisation: functionals of a clip relative to those of all clips of its speaker.

It removes what is characteristic of a voice regardless of emotion (Busso et al. 2013, Iterative feature
normalization scheme for automatic emotion detection from speech, doi:10.1109/T-AFFC.2013.26; here over all
clips at once). Mean and deviation are over all usable clips of the speaker in the store, independent of
labels, filters and splits. This has three consequences: a test clip is normalised with the other clips of its
speaker, and results say so; single clips of a new speaker cannot be predicted; and if a speaker is always
angry, anger is removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from featurestore.store import FeatureStore
from schemas.errors import RunError, UsageError
from training.samples.samples import Samples
from training.splits.split import Split
from training.vectors.rounding import ROUNDING, SMALLEST_DEVIATION

FEWEST_CLIPS = 5
"""Fewest clips per speaker; with fewer, mean and deviation describe the clips rather than the voice."""


def whole_speakers(
    store: FeatureStore, samples: Samples, features: Sequence[str]
) -> tuple[Samples, NDArray[np.int64]]:
    """All usable clips of the speakers of ``samples`` in the same views, and the rows of ``samples`` in them.

    Usable clips have values of all ``features``. Raises :class:`RunError` if a speaker has fewer than
    :data:`FEWEST_CLIPS` of them.
    """
    manifest = store.manifest
    usable = store.has_values(features)
    speakers = manifest["speaker"].to_numpy()
    _require_clips(manifest[usable], set(speakers[samples.clips]))
    views = samples.view_indices
    clips = np.flatnonzero(usable & np.isin(speakers, speakers[samples.clips])).astype(np.int64)
    no_target = np.zeros(len(clips) * len(views), dtype=np.int64)
    wider = Samples(np.tile(clips, len(views)), np.repeat(np.asarray(views), len(clips)), no_target)
    rows = np.searchsorted(views, samples.views) * len(clips) + np.searchsorted(clips, samples.clips)
    return wider, rows.astype(np.int64)


def normalise_by_speaker(vectors: Tensor, store: FeatureStore, samples: Samples) -> None:
    """Give each functional zero mean and unit population deviation over each speaker's clips, in place.

    ``vectors`` (n, F) float32 are those of ``samples``, all clips of their speakers. Each view is normalised
    separately. A constant functional becomes 0.
    """
    speakers = store.manifest["speaker"].to_numpy()[samples.clips]
    for speaker in np.unique(speakers):
        for view in samples.view_indices:
            rows = torch.from_numpy(np.flatnonzero((speakers == speaker) & (samples.views == view)))
            rows = rows.to(vectors.device)
            own = vectors[rows]
            mean, deviation = own.mean(0), own.std(0, correction=0)
            constant = deviation < SMALLEST_DEVIATION + ROUNDING * mean.abs()
            vectors[rows] = torch.where(constant, 0.0, (own - mean) / deviation)


def require_whole_speakers(usable: pd.DataFrame, splits: Iterable[Split]) -> None:
    """Check, before anything is read, that splits can be normalised by speaker.

    ``usable`` : rows of the manifest whose clips have values of the features.

    Raises :class:`UsageError` if a split has clips of one speaker on several sides, as under random, and
    :class:`RunError` if a speaker has fewer than :data:`FEWEST_CLIPS` usable clips.
    """
    heard: set[str] = set()
    for split in splits:
        if split.admits_speakers:
            raise UsageError(
                f"normalisation by speaker needs all clips of a speaker on one side, but the protocol "
                f"{split.protocol} puts them on several; choose --protocol speaker, kfold:K or loso"
            )
        heard.update((*split.train, *split.validation, *split.test))
    _require_clips(usable, set(usable["speaker"][usable["clip_id"].isin(heard)]))


def _require_clips(usable: pd.DataFrame, speakers: set[str]) -> None:
    counts = usable[usable["speaker"].isin(speakers)]["speaker"].value_counts()
    few = sorted(speaker for speaker in speakers if counts.get(speaker, 0) < FEWEST_CLIPS)
    if few:
        raise RunError(
            f"normalisation by speaker needs {FEWEST_CLIPS} usable clips per speaker, but {few[0]} has "
            f"{counts.get(few[0], 0)}; leave out such corpora with --datasets, or train with "
            "--set input.normalise=standard"
        )
