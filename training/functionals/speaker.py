"""Speaker normalisation: functionals of a clip against those of all clips of its speaker.

What a voice is like, whatever it feels, is taken away (Busso et al. 2013, Iterative feature normalization
scheme for automatic emotion detection from speech, doi:10.1109/T-AFFC.2013.26; here of all clips at once). No
label has a part in it. But a tested clip is seen beside the other tested clips of its speaker: results say
so, and a single clip of a new speaker cannot be told in this way.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from featurestore.store import FeatureStore
from schemas.errors import RunError
from training.samples import Samples

FEWEST_CLIPS = 5
"""Of a speaker; of fewer, mean and deviation tell more of the clips than of the voice."""

_CONSTANT = 1e-5
"""Share of its mean by which a functional that does not change seems to vary, at most, beside 1e-6."""


def normalise_by_speaker(vectors: Tensor, store: FeatureStore, samples: Samples) -> None:
    """Give each functional zero mean and unit population deviation over each speaker's clips, in place.

    ``vectors`` (n, F) float32 are those of ``samples``; each view is normalised by itself. A functional that
    does not change is only centred. Raises :class:`RunError` where a speaker has fewer than
    :data:`FEWEST_CLIPS` clips among them.
    """
    speakers = store.manifest["speaker"].to_numpy()[samples.clips]
    for speaker in np.unique(speakers):
        for view in samples.view_indices:
            rows = torch.from_numpy(np.flatnonzero((speakers == speaker) & (samples.views == view)))
            if not len(rows):
                continue
            if len(rows) < FEWEST_CLIPS:
                raise RunError(
                    f"{speaker} has {len(rows)} clips here, and normalisation by speaker takes "
                    f"{FEWEST_CLIPS}; leave such speakers out by --where, or train with "
                    "--set input.normalise=standard"
                )
            rows = rows.to(vectors.device)
            own = vectors[rows]
            mean, deviation = own.mean(0), own.std(0, correction=0)
            constant = deviation < 1e-6 + _CONSTANT * mean.abs()
            vectors[rows] = (own - mean) / torch.where(constant, 1.0, deviation)
