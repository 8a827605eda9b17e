"""Computes the features of all views of decoded clips: clip by clip on a CPU, in batches on a GPU."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from pipelines.batch import ClipBatch, ViewBatch
from pipelines.batch_size import clips_on
from pipelines.encoders.extract import encoder_extractors
from pipelines.feature_batch import FeatureBatch, join_batches
from pipelines.features.extract import FeatureExtractor
from pipelines.moments import clip_moments
from pipelines.opensmile import OpenSmileExtractor
from pipelines.process import single_threaded
from pipelines.quantise import quantiser
from pipelines.transfer import Transfer, send_words
from pipelines.views.compute import original, plan_view
from pipelines.window import untrimmed_samples, window_samples
from schemas.errors import DeviceError, UsageError
from schemas.features import FEATURE_KINDS
from schemas.spec import StoreSpec
from schemas.valid_frames import count_valid_frames


class Pipeline:
    """Computes views and features of a specification on one device.

    On a CPU, each clip is computed separately and without padding, so that its numbers do not depend on other
    clips and stay in the core's cache; several threads may call it at the same time. On a GPU, clips are
    computed in batches by one thread at a time. ``clips_at_once``, their size, follows from the specification
    and the free memory; the last batch is filled with silence. It is halved if memory does not suffice.

    ``encoders`` : folder of the weights of each encoder feature. Raises :class:`EncoderError` if weights are
    missing or are not those of the specification, and :class:`DeviceError` for a clip that a GPU cannot hold.
    """

    def __init__(
        self, spec: StoreSpec, device: torch.device, encoders: Mapping[str, Path] | None = None
    ) -> None:
        self.spec = spec
        self.device = device
        self.window = window_samples(spec)
        self.untrimmed = untrimmed_samples(spec)
        self.clips_at_once = clips_on(spec, device)
        self._extract = FeatureExtractor(spec, device)
        self._encoders = encoder_extractors(spec, encoders or {}, device) if spec.encoders else ()
        self._opensmile = [OpenSmileExtractor(one, spec.audio.sample_rate) for one in spec.opensmile]
        self._dtype = torch.float16 if spec.storage.dtype == "float16" else torch.float32
        self._quantise = quantiser(spec, device)
        self._has_halved = False

    def __call__(
        self,
        clip_ids: Sequence[str],
        samples: Sequence[npt.NDArray[np.float32]],
        untrimmed: Sequence[npt.NDArray[np.float32]] = (),
    ) -> FeatureBatch:
        """Compute the features of clips: :meth:`launch`, and wait for the result."""
        return self.launch(clip_ids, samples, untrimmed)()

    def launch(
        self,
        clip_ids: Sequence[str],
        samples: Sequence[npt.NDArray[np.float32]],
        untrimmed: Sequence[npt.NDArray[np.float32]] = (),
    ) -> Callable[[], FeatureBatch]:
        """Have the device compute features; the function that is returned waits for them, once.

        More than ``clips_at_once`` clips are several batches.

        ``samples`` : (n,) float32 mono waveforms at the specification's rate, of any length from 1 on.
        ``untrimmed`` : the same clips before trimming, read only if the specification has a view of them.
        """
        if not samples:
            raise ValueError("expected at least one clip")
        if self.untrimmed and len(untrimmed) != len(samples):
            raise ValueError(f"expected {len(samples)} clips before trimming, got {len(untrimmed)}")
        parts: list[Callable[[], FeatureBatch]] = []
        done = 0
        while done < len(samples):
            some = slice(done, done + self.clips_at_once)
            part = self._attempt(clip_ids[some], samples[some], untrimmed[some])
            if part is None:
                self._halve()
                continue
            parts.append(part)
            done = some.stop
        return parts[0] if len(parts) == 1 else lambda: join_batches([collect() for collect in parts])

    def _attempt(
        self,
        clip_ids: Sequence[str],
        samples: Sequence[npt.NDArray[np.float32]],
        untrimmed: Sequence[npt.NDArray[np.float32]],
    ) -> Callable[[], FeatureBatch] | None:
        """Launch a batch; None if it needs more memory than the GPU has."""
        if self.device.type == "cpu":
            with single_threaded():
                return self._compute(self._batch(clip_ids, samples, untrimmed), len(samples))
        try:
            return self._compute(self._batch(clip_ids, samples, untrimmed), len(samples))
        except torch.OutOfMemoryError as error:
            if self.clips_at_once == 1:
                raise DeviceError(
                    "the GPU lacks memory for a single clip; stop what else uses it, or choose --device cpu"
                ) from error
        return None  # outside of the handler, whose exception holds all tensors of the attempt

    def _halve(self) -> None:
        """Compute fewer clips at once from now on; the first time, say so."""
        self.clips_at_once //= 2
        torch.cuda.empty_cache()
        if not self._has_halved:
            self._has_halved = True
            warnings.warn(
                f"the GPU lacks the memory for {2 * self.clips_at_once} clips at once; continuing with fewer",
                stacklevel=2,
            )

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
        if self.clips_at_once == 1 and self.device.type == "cpu":
            return kept[0][None], (len(kept[0]),)
        waveforms = torch.empty(self.clips_at_once, longest, pin_memory=self.device.type == "cuda")
        for row, clip in enumerate(kept):
            waveforms[row, : len(clip)] = clip
            waveforms[row, len(clip) :] = 0.0
        waveforms[len(kept) :] = 0.0
        lengths = (*map(len, kept), *[0] * (self.clips_at_once - len(kept)))
        return waveforms.to(self.device, non_blocking=True), lengths

    @torch.inference_mode()
    def _compute(self, batch: ClipBatch, clips: int) -> Callable[[], FeatureBatch]:
        """Compute all views of a batch and the features of its first ``clips``."""
        plans = [plan_view(batch, view) for view in self.spec.views]
        first = original(batch)
        lengths = np.array([first.lengths, *(plan.lengths for plan in plans)])
        # Features of one table have as many frames each; every feature of an encoder has a table of its own.
        tables = [*list(self._extract.columns)[:1], *(feature.name for feature in self.spec.own_frames)]
        frames = [count_valid_frames(self.spec, name, lengths) for name in tables]
        words = send_words(np.concatenate([*(plan.words for plan in plans), *frames]), self.device)
        rows = torch.split(words, [*(len(plan.words) for plan in plans), *map(len, frames)])
        parts, valid = rows[: len(plans)], dict(zip(tables, rows[len(plans) :], strict=True))
        views = [first]
        for plan, part in zip(plans, parts, strict=True):
            views.append(ViewBatch(plan.compute(batch, part), plan.lengths, plan.parameters))
        transfer: Transfer[Mapping[str, slice]] = Transfer(self.device)
        for columns, table in self._tables(views):
            transfer.send(columns, *self._results(table, valid[next(iter(columns))].flatten()))
        transfer.close()
        parameters = np.array([view.parameters for view in views], dtype=np.float64)
        return lambda: self._collect(transfer, batch.clip_ids, lengths, parameters, clips)

    def _results(self, table: torch.Tensor, valid_frames: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The numbers of a table for the host: as stored, mean, M2, and whether all are finite."""
        stored = self._round(table)
        numbers = stored.to(torch.float32)
        finite = torch.isfinite(numbers.sum())
        return stored.transpose(1, 2).contiguous(), *clip_moments(numbers, valid_frames), finite

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
        for smile in self._opensmile:
            yield {smile.name: slice(None)}, torch.cat([smile(view) for view in views])

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
            if self._dtype == torch.float16 and names[0] not in FEATURE_KINDS:
                raise UsageError(f"{names[0]} of {clip_id} exceeds float16; build with --dtype float32")
            raise FloatingPointError(f"{', '.join(names)} of {clip_id} are not finite; please report this")
