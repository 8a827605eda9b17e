"""The pipeline: decoded clips in fixed-size batches to every view's features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipelines.batch import ClipBatch
from pipelines.features.extract import FeatureExtractor
from pipelines.moments import clip_moments
from pipelines.views.compute import augmented, original, window_samples
from schemas.spec import StoreSpec

BATCH_CLIPS = 32
"""Clips of every batch. Fixed, because float32 sums differ in the last bits between batch sizes."""

FEATURE_VERSION = 1
"""Raised with every change of code that changes a number; part of each unit's fingerprint."""


@dataclass(frozen=True)
class FeatureBatch:
    """Features of ``clips`` clips, on the host.

    ``arrays``       : feature → (view, clip, coefficient, frame) in the store's dtype.
    ``valid_frames`` : (view, clip) int64, frames centred on sound rather than padding.
    ``parameters``   : (view, clip) float64, NaN for the original.
    ``keys``         : (view, clip) hexadecimal keys of the random streams.
    ``mean``, ``m2`` : feature → (view, clip, coefficient) float64, over the valid frames.
    """

    arrays: dict[str, npt.NDArray[np.floating]]
    valid_frames: npt.NDArray[np.int64]
    parameters: npt.NDArray[np.float64]
    keys: list[list[str]]
    mean: dict[str, npt.NDArray[np.float64]]
    m2: dict[str, npt.NDArray[np.float64]]


class Pipeline:
    """Views and features of a specification on one device; safe to call from one thread at a time."""

    def __init__(self, spec: StoreSpec, device: torch.device) -> None:
        self.spec = spec
        self.device = device
        self.window = window_samples(spec)
        self._extract = FeatureExtractor(spec, device)
        self._dtype = torch.float16 if spec.storage.dtype == "float16" else torch.float32

    @torch.inference_mode()
    def __call__(self, clip_ids: Sequence[str], samples: Sequence[npt.NDArray[np.float32]]) -> FeatureBatch:
        """Features of up to :data:`BATCH_CLIPS` clips; the batch is filled up with silence.

        ``samples`` : (n,) float32 mono waveforms at the specification's rate, of any length.
        """
        batch = self._collate(clip_ids, samples)
        count, length = len(clip_ids), self.spec.audio.length
        outputs: list[dict[str, torch.Tensor]] = []
        frames, parameters, keys, means, squares = [], [], [], [], []
        for name, view in zip(self.spec.view_names, (None, *self.spec.views), strict=True):
            seen = original(batch, length) if view is None else augmented(batch, view, length)
            valid = torch.tensor([self.spec.valid_frames(n) for n in seen.lengths.tolist()])
            features = {
                feature: values[:count].to(self._dtype)
                for feature, values in self._extract(seen.waveforms).items()
            }
            moments = {
                feature: clip_moments(values, valid[:count].to(self.device))
                for feature, values in features.items()
            }
            outputs.append({feature: values.cpu() for feature, values in features.items()})
            means.append({feature: mean.cpu() for feature, (mean, _) in moments.items()})
            squares.append({feature: m2.cpu() for feature, (_, m2) in moments.items()})
            frames.append(valid[:count])
            parameters.append([np.nan if p is None else p for p in seen.parameters[:count]])
            keys.append([key.hex for key in batch.keys(name)[:count]])
        return FeatureBatch(
            arrays=_stacked(outputs),
            valid_frames=torch.stack(frames).numpy(),
            parameters=np.array(parameters, dtype=np.float64).reshape(len(frames), count),
            keys=keys,
            mean=_stacked(means),
            m2=_stacked(squares),
        )

    def _collate(self, clip_ids: Sequence[str], samples: Sequence[npt.NDArray[np.float32]]) -> ClipBatch:
        if not 0 < len(samples) <= BATCH_CLIPS:
            raise ValueError(f"a batch holds 1 to {BATCH_CLIPS} clips, got {len(samples)}")
        waveforms = torch.zeros(BATCH_CLIPS, self.window)
        lengths = torch.zeros(BATCH_CLIPS, dtype=torch.int64)
        for row, clip in enumerate(samples):
            kept = clip[: self.window]
            waveforms[row, : len(kept)] = torch.from_numpy(kept)
            lengths[row] = len(kept)
        padded_ids = (*clip_ids, *[""] * (BATCH_CLIPS - len(clip_ids)))
        return ClipBatch(
            waveforms.to(self.device), lengths.to(self.device), tuple(padded_ids), self.spec.seed
        )


def _stacked(views: list[dict[str, torch.Tensor]]) -> dict[str, npt.NDArray[Any]]:
    """Feature → arrays of all views along a new first axis."""
    return {feature: torch.stack([view[feature] for view in views]).numpy() for feature in views[0]}
