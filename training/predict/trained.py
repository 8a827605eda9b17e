"""A trained model, opened from its run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from featurestore.store import FeatureStore
from pipelines.float32_products import float32_products
from schemas.architecture import LinearSpec
from training.linear.training import predict_linear
from training.loop.checkpoint import load_best
from training.loop.fabric import hide_banners
from training.loop.fit import forward_all, move_to
from training.loop.network import new_network, sources_of
from training.loop.normalise import Normalisation, Normaliser
from training.loop.outputs import results_of
from training.runs.observer import SilentObserver
from training.runs.request import Hardware
from training.runs.run import RunFolder, RunRecord
from training.samples.samples import Samples
from training.splits.side import Side


@dataclass(frozen=True)
class TrainedModel:
    """Model of a run's best epoch."""

    folder: RunFolder
    record: RunRecord

    @classmethod
    def open(cls, path: Path) -> TrainedModel:
        """Open the run at ``path``. Raises :class:`RunError` if there is none."""
        folder = RunFolder.open(path)
        return cls(folder, folder.record())

    def network(self, device: torch.device) -> tuple[nn.Module, Normaliser]:
        """The network in evaluation mode and the normaliser of its input, on ``device``.

        Raises :class:`RunError` if the run has no finished epoch, :class:`SpecError` if the model is not a
        network.
        """
        model = new_network(self.record)
        move_to(model, device)
        load_best(self.folder.checkpoints, model)
        return model.eval(), Normaliser(Normalisation.load(self.folder.normalisation)).to(device)

    def results(
        self, store: FeatureStore, samples: Samples, device: torch.device, hardware: Hardware
    ) -> NDArray[np.float64]:
        """Probabilities (samples, classes) or values (samples, dimensions) for samples of a fitting store.

        Functionals normalised by speaker are normalised over all clips of each speaker in ``store``. Raises
        :class:`RunError` if the run has no finished epoch, or if a speaker has too few clips.
        """
        record = self.record
        if isinstance(record.recipe.model, LinearSpec):
            return predict_linear(self.folder, record, store, samples)
        from lightning.fabric import Fabric  # takes two seconds

        hide_banners()
        fabric = Fabric(accelerator=device.type, devices=1)
        sides: dict[Side, Samples] = {"test": samples}
        source = sources_of(record, store, sides, device, hardware, SilentObserver())["test"]
        model, normaliser = self.network(device)
        with float32_products(tf32=record.recipe.train.tf32):
            outputs, _ = forward_all(fabric, model, normaliser, source, record.recipe.train.batch_size)
        return results_of(record, outputs)
