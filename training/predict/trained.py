"""A trained model, opened from its run folder: to be tried on clips of a store, or asked by others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from featurestore.store import FeatureStore
from schemas.architecture import LinearSpec
from training.linear.training import predict_linear
from training.loop.checkpoint import load_best
from training.loop.fit import forward_all, move_to
from training.loop.network import new_network, sources_of
from training.loop.normalise import Normalisation, Normaliser
from training.runs.observer import SilentObserver
from training.runs.request import Hardware
from training.runs.run import RunFolder, RunRecord
from training.samples.samples import Samples
from training.splits.side import Side


@dataclass(frozen=True)
class TrainedModel:
    """The best epoch's model of a run."""

    folder: RunFolder
    record: RunRecord

    @classmethod
    def open(cls, path: Path) -> TrainedModel:
        """Model of the run at ``path``. Raises :class:`RunError` where there is none."""
        folder = RunFolder.open(path)
        return cls(folder, folder.record())

    def network(self, device: torch.device) -> tuple[nn.Module, Normaliser]:
        """The network in evaluation, and what makes its input of stored values, on ``device``.

        Raises :class:`RunError` where the run holds no finished epoch, :class:`SpecError` for a model that is
        no network.
        """
        model = new_network(self.record)
        move_to(model, device)
        load_best(self.folder.checkpoints, model)
        return model.eval(), Normaliser(Normalisation.load(self.folder.normalisation)).to(device)

    def probabilities(
        self, store: FeatureStore, samples: Samples, device: torch.device, hardware: Hardware
    ) -> NDArray[np.float64]:
        """(samples, classes): how probable each class is, for samples of a store that fits the run.

        A model of functionals normalised by speaker sets each against all clips of its speaker in ``store``.
        Raises :class:`RunError` where the run holds no finished epoch, or a speaker has too few clips.
        """
        record = self.record
        if isinstance(record.recipe.model, LinearSpec):
            return predict_linear(self.folder, record.recipe.model, record, store, samples)
        from lightning.fabric import Fabric  # two seconds

        fabric = Fabric(accelerator=device.type, devices=1)
        sides: dict[Side, Samples] = {"test": samples}
        source = sources_of(record, store, sides, device, hardware, SilentObserver())["test"]
        model, normaliser = self.network(device)
        logits, _ = forward_all(fabric, model, normaliser, source, record.recipe.train.batch_size)
        probabilities: NDArray[np.float64] = logits.double().softmax(dim=1).numpy()
        return probabilities
