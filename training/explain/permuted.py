"""Results of a trained model whose clips have exchanged a part of their input.

::

    clip      mel ─────────────────────┐
              rms ──╳                  ├▶ model ──▶ results with rms permuted
    donor     rms ──▶ as long as clip ─┘
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featurestore.store import FeatureStore
from pipelines.float32_products import float32_products
from schemas.architecture import LinearSpec
from training.linear.classifier import LinearClassifier
from training.linear.training import vectors_of_samples
from training.loader.ram import RamSource
from training.loader.source import WHOLE, Batch, OrderedSource, Share, Source
from training.loop.fabric import hide_banners
from training.loop.fit import forward_all
from training.loop.network import sources_of
from training.loop.outputs import results_of
from training.predict.trained import TrainedModel
from training.runs.observer import SilentObserver
from training.runs.request import Hardware
from training.samples.samples import Samples


class PermutedInput(Protocol):
    """The input of a model for the test clips, which can be permuted."""

    def results(self) -> NDArray[np.float64]:
        """Return results (clips, outputs) of the unchanged clips."""
        ...

    def permute(self, donors: NDArray[np.int64]) -> None:
        """Let clip i exchange parts with clip ``donors[i]``, until the next call."""
        ...

    def results_with(self, rows: slice) -> NDArray[np.float64]:
        """Return results (clips, outputs) with ``rows`` of the input taken from the donors."""
        ...


def open_input(
    model: TrainedModel, store: FeatureStore, samples: Samples, device: torch.device, hardware: Hardware
) -> PermutedInput:
    """Read the input of ``model`` for ``samples``; frames too large for memory are read from the store again.

    Raises what :meth:`TrainedModel.results` raises.
    """
    if isinstance(model.record.recipe.model, LinearSpec):
        return _LinearInput(model, store, samples)
    return _NetworkInput(model, store, samples, device, hardware)


class _LinearInput:
    def __init__(self, model: TrainedModel, store: FeatureStore, samples: Samples) -> None:
        # Training calls this before its results, and with them the hash of this file, are written.
        self._classifier = LinearClassifier.load(model.folder.linear)
        self._values = vectors_of_samples(store, samples, model.record)
        self._donors = np.arange(len(samples))

    def results(self) -> NDArray[np.float64]:
        return self._classifier.predict(self._values)

    def permute(self, donors: NDArray[np.int64]) -> None:
        self._donors = donors

    def results_with(self, rows: slice) -> NDArray[np.float64]:
        values = self._values.copy()
        values[:, rows] = self._values[self._donors, rows]
        return self._classifier.predict(values)


class _NetworkInput:
    def __init__(
        self,
        model: TrainedModel,
        store: FeatureStore,
        samples: Samples,
        device: torch.device,
        hardware: Hardware,
    ) -> None:
        from lightning.fabric import Fabric  # takes two seconds

        hide_banners()
        self._fabric = Fabric(accelerator=device.type, devices=1)
        self._record, self._store, self._samples = model.record, store, samples
        self._device, self._hardware = device, hardware
        self._network, self._normaliser = model.network(device)
        self._source = self._open(samples)
        self._donors: OrderedSource = self._source

    def results(self) -> NDArray[np.float64]:
        return self._results(self._source)

    def permute(self, donors: NDArray[np.int64]) -> None:
        if isinstance(self._source, RamSource):
            self._donors = _reordered(self._source, donors)
            return
        chosen = self._samples
        self._donors = self._open(
            replace(
                chosen,
                clips=chosen.clips[donors],
                views=chosen.views[donors],
                targets=chosen.targets[donors],
            )
        )

    def results_with(self, rows: slice) -> NDArray[np.float64]:
        return self._results(_Exchanged(self._source, self._donors, rows))

    def _open(self, samples: Samples) -> Source:
        return sources_of(
            self._record, self._store, {"test": samples}, self._device, self._hardware, SilentObserver()
        )["test"]

    def _results(self, source: OrderedSource) -> NDArray[np.float64]:
        train = self._record.recipe.train
        with float32_products(tf32=train.tf32):
            outputs, _ = forward_all(self._fabric, self._network, self._normaliser, source, train.batch_size)
        return results_of(self._record, outputs)


def _reordered(source: RamSource, order: NDArray[np.int64]) -> RamSource:
    at = torch.from_numpy(order)
    return RamSource(
        source.features[at.to(source.features.device)],
        source.valid_frames[at.to(source.device)],
        source.targets,
        source.device,
    )


@dataclass(frozen=True, eq=False)
class _Exchanged:
    """Batches of ``source`` with ``rows`` of the samples of ``donors``, in the same order."""

    source: OrderedSource
    donors: OrderedSource
    rows: slice

    def __len__(self) -> int:
        return len(self.source)

    def in_order(self, batch_size: int, share: Share = WHOLE) -> Iterator[Batch]:
        both = zip(
            self.source.in_order(batch_size, share), self.donors.in_order(batch_size, share), strict=True
        )
        for batch, donors in both:
            features = batch.features.clone()
            features[:, :, self.rows] = exchange_frames(
                features[:, 0, self.rows],
                batch.valid_frames,
                donors.features[:, 0, self.rows],
                donors.valid_frames,
            )[:, None]
            yield replace(batch, features=features)


def exchange_frames(own: Tensor, valid_frames: Tensor, donors: Tensor, donor_frames: Tensor) -> Tensor:
    """Frames of ``donors`` (B, C, T) in place of those of ``own`` (B, C, T), with the lengths of ``own``.

    A donor with fewer valid frames is repeated from its start; the rest of a longer one is left out. Padded
    frames of ``own`` remain. ``valid_frames`` and ``donor_frames`` (B,) int64 are at least 1.
    """
    frame = torch.arange(own.shape[2], device=own.device)
    chosen = frame % donor_frames[:, None].clamp(min=1)
    found = donors.gather(2, chosen[:, None].expand(-1, donors.shape[1], -1))
    return torch.where((frame < valid_frames[:, None])[:, None], found, own)
