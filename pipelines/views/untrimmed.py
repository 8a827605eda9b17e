"""The recording before trimming."""

from __future__ import annotations

import numpy as np
import torch

from pipelines.batch import ClipBatch, ViewPlan


def untrimmed(batch: ClipBatch) -> ViewPlan:
    """The clips before trimming, cut to the fixed length; at the scale of the original.

    Nothing is drawn and nothing computed: the batch holds these waveforms beside those of the original.
    Raises ``ValueError`` if it does not.
    """
    view = batch.untrimmed
    if view is None:
        raise ValueError("the batch lacks the clips before trimming, which a view needs")
    waveforms = view.waveforms

    def take(_: ClipBatch, __: torch.Tensor) -> torch.Tensor:
        return waveforms

    return ViewPlan(view.lengths, view.parameters, np.empty((0, len(view.lengths)), np.int64), take)
