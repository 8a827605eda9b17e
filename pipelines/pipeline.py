"""The pipeline: decoded clips to every view's features, clip by clip on CPU cores, in batches on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from pipelines.batch import ClipBatch
from pipelines.features.extract import FeatureExtractor
from pipelines.moments import clip_moments
from pipelines.views.compute import augmented, original, window_samples
from schemas.spec import StoreSpec

GPU_CLIPS = 64
"""Clips that a GPU computes at once. Fixed, the last batch filled up with silence."""

CPU_CLIPS = 32
"""Clips that the cores share out before the next are asked for."""

FEATURE_VERSION = 2
"""Raised with every change of code that changes a number; part of each unit's fingerprint."""


@dataclass(frozen=True)
class FeatureBatch:
    """Features of ``clips`` clips, on the host.

    ``arrays``       : feature → (view, clip, coefficient, frame) in the store's dtype.
    ``valid_frames`` : (view, clip) int64, frames centred on sound rather than padding.
    ``parameters``   : (view, clip) float64, NaN for the original.
    ``mean``, ``m2`` : feature → (view, clip, coefficient) float64, over the valid frames.
    """

    arrays: dict[str, npt.NDArray[np.floating]]
    valid_frames: npt.NDArray[np.int64]
    parameters: npt.NDArray[np.float64]
    mean: dict[str, npt.NDArray[np.float64]]
    m2: dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class ViewFeatures:
    """Views of some clips, on the host: (view, clip, …), the table (view, clip, coefficient, frame)."""

    table: torch.Tensor
    valid_frames: torch.Tensor
    parameters: npt.NDArray[np.float64]
    mean: torch.Tensor
    m2: torch.Tensor


class Pipeline:
    """Views and features of a specification on one device.

    On CPU each clip is computed by itself, without the padding behind it, by one of ``threads`` threads:
    a clip's numbers cannot depend on other clips, and stay in the core's cache. On a GPU clips are computed
    in batches of one fixed size. Not to be called from two threads at a time; close it, or use it in a
    ``with`` statement, to end its threads.
    """

    def __init__(self, spec: StoreSpec, device: torch.device, threads: int = 1) -> None:
        self.spec = spec
        self.device = device
        self.window = window_samples(spec)
        self.clips_at_once = CPU_CLIPS if device.type == "cpu" else GPU_CLIPS
        self._extract = FeatureExtractor(spec, device)
        self._dtype = torch.float16 if spec.storage.dtype == "float16" else torch.float32
        self._compute_all = self._clip_by_clip if device.type == "cpu" else self._in_one_batch
        self._pool = ThreadPoolExecutor(
            threads, thread_name_prefix="compute", initializer=torch.set_num_threads, initargs=(1,)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __call__(self, clip_ids: Sequence[str], samples: Sequence[npt.NDArray[np.float32]]) -> FeatureBatch:
        """Features of up to ``clips_at_once`` clips.

        ``samples`` : (n,) float32 mono waveforms at the specification's rate, of any length.
        """
        if not 0 < len(samples) <= self.clips_at_once:
            raise ValueError(f"1 to {self.clips_at_once} clips are computed at once, got {len(samples)}")
        return self._joined(self._compute_all(clip_ids, samples), len(samples))

    def _clip_by_clip(
        self, clip_ids: Sequence[str], samples: Sequence[npt.NDArray[np.float32]]
    ) -> list[ViewFeatures]:
        return list(self._pool.map(self._one, clip_ids, samples))

    def _one(self, clip_id: str, samples: npt.NDArray[np.float32]) -> ViewFeatures:
        waveform = torch.from_numpy(samples[: self.window])[None]
        lengths = (waveform.shape[1],)
        return self._compute(ClipBatch(waveform, lengths, (clip_id,), self.spec.seed, self.spec.length))

    def _in_one_batch(
        self, clip_ids: Sequence[str], samples: Sequence[npt.NDArray[np.float32]]
    ) -> list[ViewFeatures]:
        waveforms = torch.zeros(self.clips_at_once, self.window, pin_memory=self.device.type == "cuda")
        for row, clip in enumerate(samples):
            kept = clip[: self.window]
            waveforms[row, : len(kept)] = torch.from_numpy(kept)
        absent = self.clips_at_once - len(samples)
        lengths = (*(min(len(clip), self.window) for clip in samples), *[0] * absent)
        on_device = waveforms.to(self.device, non_blocking=True)
        padded_ids = (*clip_ids, *[""] * absent)
        return [self._compute(ClipBatch(on_device, lengths, padded_ids, self.spec.seed, self.spec.length))]

    @torch.inference_mode()
    def _compute(self, batch: ClipBatch) -> ViewFeatures:
        """Every view of a batch on its device, and their features."""
        views = [original(batch), *(augmented(batch, view) for view in self.spec.views)]
        table = self._extract.table([view.waveforms for view in views]).to(self._dtype)
        valid = torch.tensor([[self.spec.valid_frames(n) for n in view.lengths] for view in views])
        mean, m2 = clip_moments(table, valid.flatten().to(table.device))
        shape = (len(views), len(batch.clip_ids))
        return ViewFeatures(
            table.transpose(1, 2).contiguous().cpu().view(*shape, -1, self.spec.frames),
            valid,
            np.array([view.parameters for view in views], dtype=np.float64),
            mean.cpu().view(*shape, -1),
            m2.cpu().view(*shape, -1),
        )

    def _joined(self, parts: Sequence[ViewFeatures], clips: int) -> FeatureBatch:
        table = torch.cat([part.table for part in parts], dim=1)[:, :clips].numpy()
        mean = torch.cat([part.mean for part in parts], dim=1)[:, :clips].numpy()
        m2 = torch.cat([part.m2 for part in parts], dim=1)[:, :clips].numpy()
        columns = self._extract.columns
        return FeatureBatch(
            arrays={name: table[:, :, part] for name, part in columns.items()},
            valid_frames=torch.cat([part.valid_frames for part in parts], dim=1)[:, :clips].numpy(),
            parameters=np.concatenate([part.parameters for part in parts], axis=1)[:, :clips],
            mean={name: mean[:, :, part] for name, part in columns.items()},
            m2={name: m2[:, :, part] for name, part in columns.items()},
        )
