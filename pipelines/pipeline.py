"""Computes the features of all views of decoded clips: clip by clip on a CPU, in batches on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from pipelines.batch import ClipBatch, ViewBatch
from pipelines.encoders.extract import encoder_extractors
from pipelines.feature_batch import FeatureBatch
from pipelines.features.extract import FeatureExtractor
from pipelines.moments import clip_moments
from pipelines.process import single_threaded
from pipelines.quantise import quantiser
from pipelines.transfer import Transfer
from pipelines.views.compute import augment, original, untrimmed_samples, window_samples
from schemas.errors import UsageError
from schemas.spec import StoreSpec
from schemas.valid_frames import count_valid_frames

GPU_CLIPS = 64
"""Clips per batch on a GPU. The number is fixed; the last batch is filled with silence."""


class Pipeline:
    """Computes views and features of a specification on one device.

    On a CPU, each clip is computed separately and without padding, so that its numbers do not depend on other
    clips and stay in the core's cache; several threads may call it at the same time. On a GPU, clips are
    computed in batches of a fixed size, by one thread at a time.

    ``encoders`` : folder of the weights of each encoder feature. Raises :class:`EncoderError` if weights are
    missing or are not those of the specification.
    """

    def __init__(
        self, spec: StoreSpec, device: torch.device, encoders: Mapping[str, Path] | None = None
    ) -> None:
        self.spec = spec
        self.device = device
        self.window = window_samples(spec)
        self.untrimmed = untrimmed_samples(spec)
        self.clips_at_once = 1 if device.type == "cpu" else GPU_CLIPS
        self._extract = FeatureExtractor(spec, device)
        self._encoders = encoder_extractors(spec, encoders or {}, device) if spec.encoders else ()
        self._dtype = torch.float16 if spec.storage.dtype == "float16" else torch.float32
        self._quantise = quantiser(spec, device)

    def __call__(
        self,
        clip_ids: Sequence[str],
        samples: Sequence[npt.NDArray[np.float32]],
        untrimmed: Sequence[npt.NDArray[np.float32]] = (),
    ) -> FeatureBatch:
        """Compute the features of up to ``clips_at_once`` clips: :meth:`launch`, and wait for the result."""
        return self.launch(clip_ids, samples, untrimmed)()

    def launch(
        self,
        clip_ids: Sequence[str],
        samples: Sequence[npt.NDArray[np.float32]],
        untrimmed: Sequence[npt.NDArray[np.float32]] = (),
    ) -> Callable[[], FeatureBatch]:
        """Have the device compute features; the function that is returned waits for them, once.

        ``samples`` : (n,) float32 mono waveforms at the specification's rate, of any length from 1 on.
        ``untrimmed`` : the same clips before trimming, read only if the specification has a view of them.
        """
        if not 0 < len(samples) <= self.clips_at_once:
            raise ValueError(f"expected 1 to {self.clips_at_once} clips, got {len(samples)}")
        if self.untrimmed and len(untrimmed) != len(samples):
            raise ValueError(f"expected {len(samples)} clips before trimming, got {len(untrimmed)}")
        if self.device.type != "cpu":
            return self._compute(self._batch(clip_ids, samples, untrimmed), len(samples))
        with single_threaded():
            return self._compute(self._batch(clip_ids, samples, untrimmed), len(samples))

    def _batch(
        self,
        clip_ids: Sequence[str],
        samples: Sequence[npt.NDArray[np.float32]],
        untrimmed: Sequence[npt.NDArray[np.float32]],
    ) -> ClipBatch:
        spec, names = self.spec, (*clip_ids, *[""] * (self.clips_at_once - len(samples)))
        whole = None
        if self.untrimmed:
            whole = ViewBatch(*self._waveforms(untrimmed, self.untrimmed), (None,) * len(names))
        waveforms, lengths = self._waveforms(samples, self.window)
        return ClipBatch(waveforms, lengths, names, spec.seed, spec.length, spec.audio.sample_rate, whole)

    def _waveforms(
        self, clips: Sequence[npt.NDArray[np.float32]], longest: int
    ) -> tuple[torch.Tensor, tuple[int, ...]]:
        """Clips cut to ``longest`` samples, as (clip, samples) on the device, and the length of each.

        A single clip is not padded; batches are, to ``clips_at_once`` clips of the longest length.
        """
        kept = [torch.from_numpy(clip[:longest]) for clip in clips]
        if self.clips_at_once == 1:
            return kept[0][None].to(self.device), (len(kept[0]),)
        waveforms = torch.zeros(self.clips_at_once, longest, pin_memory=self.device.type == "cuda")
        for row, clip in enumerate(kept):
            waveforms[row, : len(clip)] = clip
        lengths = (*map(len, kept), *[0] * (self.clips_at_once - len(kept)))
        return waveforms.to(self.device, non_blocking=True), lengths

    @torch.inference_mode()
    def _compute(self, batch: ClipBatch, clips: int) -> Callable[[], FeatureBatch]:
        """Compute all views of a batch and the features of its first ``clips``."""
        views = [original(batch), *(augment(batch, view) for view in self.spec.views)]
        lengths = np.array([view.lengths for view in views])
        transfer: Transfer[Mapping[str, slice]] = Transfer(self.device)
        for columns, table in self._tables(views):
            stored = self._round(table)
            valid = count_valid_frames(self.spec, next(iter(columns)), lengths).reshape(-1)
            moments = clip_moments(stored, torch.from_numpy(valid).to(stored.device))
            numbers = stored.transpose(1, 2).contiguous()
            transfer.send(columns, numbers, *moments, torch.isfinite(stored.sum(dtype=torch.float32)))
        transfer.close()
        parameters = np.array([view.parameters for view in views], dtype=np.float64)
        return lambda: self._collect(transfer, batch.clip_ids, lengths, parameters, clips)

    def _collect(
        self,
        transfer: Transfer[Mapping[str, slice]],
        clip_ids: Sequence[str],
        lengths: npt.NDArray[np.int64],
        parameters: npt.NDArray[np.float64],
        clips: int,
    ) -> FeatureBatch:
        """The first ``clips`` of a batch, when they have reached host memory."""
        arrays: dict[str, npt.NDArray[np.floating]] = {}
        mean: dict[str, npt.NDArray[np.float64]] = {}
        m2: dict[str, npt.NDArray[np.float64]] = {}
        for columns, (numbers, *moments, finite) in transfer.receive():
            kept, means, m2s = (
                part.reshape(*lengths.shape, *part.shape[1:])[:, :clips] for part in (numbers, *moments)
            )
            if not finite:
                self._require_finite(kept, columns, clip_ids)
            for name, part in columns.items():
                arrays[name], mean[name], m2[name] = kept[:, :, part], means[:, :, part], m2s[:, :, part]
        names = self.spec.coefficients
        return FeatureBatch(
            {name: arrays[name] for name in names},
            lengths[:, :clips],
            np.array([[self.spec.valid_frames(n) for n in row] for row in lengths[:, :clips].tolist()]),
            parameters[:, :clips],
            {name: mean[name] for name in names},
            {name: m2[name] for name in names},
        )

    def _tables(self, views: Sequence[ViewBatch]) -> Iterator[tuple[Mapping[str, slice], torch.Tensor]]:
        """Tables (waveform, frame, coefficient) float32 of features that share frames, and their columns."""
        if self._extract.columns:
            yield self._extract.columns, self._extract.table([view.waveforms for view in views])
        for extract in self._encoders:
            found = [extract(view) for view in views]
            for name in found[0]:
                yield {name: slice(None)}, torch.cat([numbers[name] for numbers in found])

    def _round(self, table: torch.Tensor) -> torch.Tensor:
        """The numbers that the store holds."""
        stored = table.to(self._dtype)
        return stored if self._quantise is None else self._quantise(stored)

    def _require_finite(
        self, numbers: npt.NDArray[np.floating], columns: Mapping[str, slice], clip_ids: Sequence[str]
    ) -> None:
        """Raise FloatingPointError for values that are not finite, which no decoded recording should give.

        ``numbers`` : (view, clip, coefficient, frame).
        """
        for view, clip in np.argwhere(~np.isfinite(numbers).all(axis=(2, 3))).tolist():
            broken = ~np.isfinite(numbers[view, clip]).all(axis=1)
            names = [name for name, part in columns.items() if broken[part].any()]
            clip_id = clip_ids[clip]
            precisions = {feature.name: feature.precision for feature in self.spec.encoders}
            if precisions.get(names[0]) == "float16":
                raise UsageError(
                    f"{names[0]} of {clip_id} exceeds float16; set its precision to bfloat16 in the recipe"
                )
            if self._dtype == torch.float16 and names[0] in precisions:
                raise UsageError(f"{names[0]} of {clip_id} exceeds float16; build with --dtype float32")
            raise FloatingPointError(f"{', '.join(names)} of {clip_id} are not finite; please report this")
