"""Normalisation within groups: vectors of a clip relative to those of all clips of its speaker or corpus.

Within speakers, it removes what is characteristic of a voice regardless of emotion (Busso et al. 2013,
Iterative feature normalization scheme for automatic emotion detection from speech,
doi:10.1109/T-AFFC.2013.26; here over all clips at once). Within corpora, it removes what is characteristic of
a room, a microphone and a way of acting (Schuller et al. 2010, Cross-corpus acoustic emotion recognition:
variances and strategies, doi:10.1109/T-AFFC.2010.8).

Mean and deviation are over all usable clips of the group in the store, independent of labels, filters and
splits. This has three consequences: a test clip is normalised with the other clips of its group, and results
say so; single clips of a new group cannot be predicted; and if a speaker or corpus is always angry, anger is
removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from featurestore.store import FeatureStore
from schemas.errors import RunError, UsageError
from schemas.training import NormalisationGroup
from training.samples.samples import Samples
from training.splits.split import Split
from training.vectors.rounding import ROUNDING, SMALLEST_DEVIATION

FEWEST_CLIPS = 5
"""Fewest clips per group; with fewer, mean and deviation describe the clips rather than the voice."""

_COLUMN: Mapping[NormalisationGroup, str] = MappingProxyType({"speaker": "speaker", "corpus": "dataset"})
"""Column of the manifest that names the group of each clip."""


def whole_groups(
    store: FeatureStore, samples: Samples, features: Sequence[str], within: NormalisationGroup
) -> tuple[Samples, NDArray[np.int64]]:
    """All usable clips of the groups of ``samples`` in the same views, and the rows of ``samples`` in them.

    Usable clips have values of all ``features``. Raises :class:`RunError` if a group has fewer than
    :data:`FEWEST_CLIPS` of them.
    """
    manifest = store.manifest
    usable = store.has_values(features)
    groups = manifest[_COLUMN[within]].to_numpy()
    _require_clips(manifest[usable], set(groups[samples.clips]), within)
    views = samples.view_indices
    clips = np.flatnonzero(usable & np.isin(groups, groups[samples.clips])).astype(np.int64)
    no_target = np.zeros(len(clips) * len(views), dtype=np.int64)
    wider = Samples(np.tile(clips, len(views)), np.repeat(np.asarray(views), len(clips)), no_target)
    rows = np.searchsorted(views, samples.views) * len(clips) + np.searchsorted(clips, samples.clips)
    return wider, rows.astype(np.int64)


def normalise_within(
    vectors: Tensor, store: FeatureStore, samples: Samples, within: NormalisationGroup
) -> None:
    """Give each value zero mean and unit population deviation over each group's clips, in place.

    ``vectors`` (n, F) float32 are those of ``samples``, all clips of their groups. Each view is normalised
    separately. A constant value becomes 0.
    """
    groups = store.manifest[_COLUMN[within]].to_numpy()[samples.clips]
    for group in np.unique(groups):
        for view in samples.view_indices:
            rows = torch.from_numpy(np.flatnonzero((groups == group) & (samples.views == view)))
            rows = rows.to(vectors.device)
            own = vectors[rows]
            mean, deviation = own.mean(0), own.std(0, correction=0)
            constant = deviation < SMALLEST_DEVIATION + ROUNDING * mean.abs()
            vectors[rows] = torch.where(constant, 0.0, (own - mean) / deviation)


def require_whole_groups(usable: pd.DataFrame, splits: Iterable[Split], within: NormalisationGroup) -> None:
    """Check, before anything is read, that splits can be normalised within groups.

    ``usable`` : rows of the manifest whose clips have values of the features.

    Raises :class:`UsageError` for groups of speakers if a split has clips of one speaker on several sides, as
    under random, and :class:`RunError` if a group has fewer than :data:`FEWEST_CLIPS` usable clips.
    """
    heard: set[str] = set()
    for split in splits:
        if within == "speaker" and split.admits_speakers:
            raise UsageError(
                f"normalisation by speaker needs all clips of a speaker on one side, but the protocol "
                f"{split.protocol} puts them on several; choose --protocol speaker, kfold:K or loso"
            )
        heard.update((*split.train, *split.validation, *split.test))
    _require_clips(usable, set(usable[_COLUMN[within]][usable["clip_id"].isin(heard)]), within)


def _require_clips(usable: pd.DataFrame, groups: set[str], within: NormalisationGroup) -> None:
    column = usable[_COLUMN[within]]
    counts = column[column.isin(groups)].value_counts()
    few = sorted(group for group in groups if counts.get(group, 0) < FEWEST_CLIPS)
    if few:
        raise RunError(
            f"normalisation by {within} needs {FEWEST_CLIPS} usable clips per {within}, but {few[0]} has "
            f"{counts.get(few[0], 0)}; leave out such corpora with --datasets, or train with "
            "--set input.normalise=standard"
        )
