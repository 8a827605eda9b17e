"""Computes the features of all views of decoded clips: clip by clip on a CPU, in batches on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pipelines.batch import ClipBatch
from pipelines.features.extract import FeatureExtractor
from pipelines.moments import clip_moments
from pipelines.process import single_threaded
from pipelines.quantise import quantiser
from pipelines.views.compute import augment, original, window_samples
from schemas.spec import StoreSpec

GPU_CLIPS = 64
"""Clips per batch on a GPU. The number is fixed; the last batch is filled with silence."""


@dataclass(frozen=True)
class FeatureBatch:
    """Features of some clips in host memory, with the coefficients of all features concatenated.

    ``table``        : (view, clip, coefficient, frame) in the store's dtype.
    ``columns``      : slice of the coefficients by feature.
    ``valid_frames`` : (view, clip) int64, frames centred on sound, not on padding.
    ``parameters``   : (view, clip) float64, NaN for the original.
    ``mean``, ``m2`` : (view, clip, coefficient) float64, over the valid frames.
    """

    table: npt.NDArray[np.floating]
    columns: Mapping[str, slice]
    valid_frames: npt.NDArray[np.int64]
    parameters: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    m2: npt.NDArray[np.float64]

    @property
    def arrays(self) -> dict[str, npt.NDArray[np.floating]]:
        """Array of each feature, (view, clip, coefficient, frame)."""
        return {feature: self.table[:, :, part] for feature, part in self.columns.items()}

    def clip(self, index: int) -> FeatureBatch:
        """One clip as a separate batch."""
        one = np.s_[:, index : index + 1]
        return FeatureBatch(
            self.table[one],
            self.columns,
            self.valid_frames[one],
            self.parameters[one],
            self.mean[one],
            self.m2[one],
        )


class Pipeline:
    """Computes views and features of a specification on one device.

    On a CPU, each clip is computed separately and without padding, so that its numbers do not depend on other
    clips and stay in the core's cache; several threads may call it at the same time. On a GPU, clips are
    computed in batches of a fixed size, by one thread at a time.
    """

    def __init__(self, spec: StoreSpec, device: torch.device) -> None:
        self.spec = spec
        self.device = device
        self.window = window_samples(spec)
        self.clips_at_once = 1 if device.type == "cpu" else GPU_CLIPS
        self._extract = FeatureExtractor(spec, device)
        self._dtype = torch.float16 if spec.storage.dtype == "float16" else torch.float32
        self._quantise = quantiser(spec, device)

    def __call__(self, clip_ids: Sequence[str], samples: Sequence[npt.NDArray[np.float32]]) -> FeatureBatch:
        """Compute the features of up to ``clips_at_once`` clips.

        ``samples`` : (n,) float32 mono waveforms at the specification's rate, of any length from 1 on.
        """
        if not 0 < len(samples) <= self.clips_at_once:
            raise ValueError(f"expected 1 to {self.clips_at_once} clips, got {len(samples)}")
        if self.device.type != "cpu":
            return self._compute(self._pad(clip_ids, samples), len(samples))
        with single_threaded():
            one = self.clips_at_once == 1
            batch = self._as_batch(clip_ids, samples) if one else self._pad(clip_ids, samples)
            return self._compute(batch, len(samples))

    def _as_batch(self, clip_ids: Sequence[str], samples: Sequence[npt.NDArray[np.float32]]) -> ClipBatch:
        waveform = torch.from_numpy(samples[0][: self.window])[None].to(self.device)
        return self._batch(waveform, (waveform.shape[1],), tuple(clip_ids))

    def _pad(self, clip_ids: Sequence[str], samples: Sequence[npt.NDArray[np.float32]]) -> ClipBatch:
        waveforms = torch.zeros(self.clips_at_once, self.window, pin_memory=self.device.type == "cuda")
        for row, clip in enumerate(samples):
            kept = clip[: self.window]
            waveforms[row, : len(kept)] = torch.from_numpy(kept)
        absent = self.clips_at_once - len(samples)
        lengths = (*(min(len(clip), self.window) for clip in samples), *[0] * absent)
        on_device = waveforms.to(self.device, non_blocking=True)
        return self._batch(on_device, lengths, (*clip_ids, *[""] * absent))

    def _batch(
        self, waveforms: torch.Tensor, lengths: tuple[int, ...], clip_ids: tuple[str, ...]
    ) -> ClipBatch:
        spec = self.spec
        return ClipBatch(waveforms, lengths, clip_ids, spec.seed, spec.length, spec.audio.sample_rate)

    @torch.inference_mode()
    def _compute(self, batch: ClipBatch, clips: int) -> FeatureBatch:
        """Compute all views of a batch and the features of its first ``clips``."""
        views = [original(batch), *(augment(batch, view) for view in self.spec.views)]
        table = self._extract.table([view.waveforms for view in views]).to(self._dtype)
        if self._quantise is not None:
            table = self._quantise(table)
        valid = np.array([[self.spec.valid_frames(n) for n in view.lengths] for view in views])
        self._require_finite(table, batch.clip_ids)
        mean, m2 = clip_moments(table, torch.from_numpy(valid.reshape(-1)).to(table.device))
        shape = (len(views), len(batch.clip_ids))
        stored = table.transpose(1, 2).contiguous().view(*shape, -1, self.spec.frames)
        return FeatureBatch(
            stored[:, :clips].cpu().numpy(),
            self._extract.columns,
            valid[:, :clips],
            np.array([view.parameters for view in views], dtype=np.float64)[:, :clips],
            mean.view(*shape, -1)[:, :clips].cpu().numpy(),
            m2.view(*shape, -1)[:, :clips].cpu().numpy(),
        )

    def _require_finite(self, table: torch.Tensor, clip_ids: Sequence[str]) -> None:
        """Raise FloatingPointError for values that are not finite, which no decoded recording should give."""
        if bool(torch.isfinite(table.sum(dtype=torch.float32))):
            return
        for row in torch.nonzero(~torch.isfinite(table).all(dim=1).all(dim=1))[:, 0].tolist():
            broken = ~torch.isfinite(table[row]).all(dim=0)
            names = [name for name, part in self._extract.columns.items() if broken[part].any()]
            clip_id = clip_ids[row % len(clip_ids)]
            raise FloatingPointError(f"{', '.join(names)} of {clip_id} are not finite; please report this")
