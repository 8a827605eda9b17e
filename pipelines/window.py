"""How much of a recording the views of a specification use. Without torch, so that a build starts fast."""

from __future__ import annotations

import math

from pipelines.ratio import ratio_bounds, rational_ratio, source_samples
from schemas.spec import StoreSpec
from schemas.views import SpeedSpec, StretchSpec, UntrimmedSpec, ViewSpec, span


def window_samples(spec: StoreSpec) -> int:
    """Number of samples of a trimmed recording that the pipeline uses: the fixed length, or more if fast."""
    return max(spec.length, *(_samples_for(view, spec.length) for view in spec.views), 0)


def untrimmed_samples(spec: StoreSpec) -> int:
    """Number of samples of a recording before trimming that the pipeline uses; 0 if no view needs them."""
    return spec.length if any(isinstance(view, UntrimmedSpec) for view in spec.views) else 0


def _samples_for(view: ViewSpec, length: int) -> int:
    """Number of samples of the recording that fill a view of ``length`` samples."""
    if not isinstance(view, SpeedSpec | StretchSpec):
        return length
    if isinstance(view.factor, float):
        return source_samples(length, rational_ratio(view.factor))
    return math.ceil(length * ratio_bounds(*span(view.factor))[1])
