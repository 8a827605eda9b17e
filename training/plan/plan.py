"""The plan of a training run, checked before any array is read or any file written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from schemas.architecture import LinearSpec
from training.audits.audit import Audit
from training.runs.observer import SideSize
from training.runs.request import Hardware, resume_command
from training.runs.run import RunRecord, SearchSummary
from training.samples.dimensions import DimensionTargets
from training.samples.samples import AnyTargets, Samples
from training.splits.side import SIDES, Side
from training.splits.split import Split


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that is decided before the first array is read."""

    store: FeatureStore
    store_option: str | Path | None
    """Value of ``--store`` needed to resume the run; None if the run finds its store."""
    record: RunRecord
    split: Split
    targets: AnyTargets
    samples: dict[Side, Samples]
    fitted: Samples
    """What the model is trained on: the training side; after a search the validation clips, too."""
    audit: Audit
    device: torch.device
    hardware: Hardware
    remarks: tuple[str, ...]
    """Sentences about differences between the request, the store and the run."""

    @property
    def sides(self) -> dict[Side, SideSize]:
        """Numbers of clips, speakers and samples of each side."""
        return {side: self._size_of(read) for side, read in self.samples.items()}

    @property
    def known_clips(self) -> NDArray[np.int64]:
        """Rows of the training and validation clips, ascending."""
        return np.unique(np.concatenate([self.samples["train"].clips, self.samples["validation"].clips]))

    @property
    def fitted_size(self) -> SideSize | None:
        """Numbers of what the model is trained on after a search; None: it is trained on the training side.

        Linear models are fitted on the original view of validation clips.
        """
        if self.record.searched is None:
            return None
        if not isinstance(self.record.recipe.model, LinearSpec):
            return self._size_of(self.fitted)
        speakers, clips = self.store.manifest["speaker"].to_numpy(), self.known_clips
        samples = len(self.samples["train"]) + len(self.samples["validation"])
        return SideSize(len(clips), len(set(speakers[clips])), samples)

    def _size_of(self, read: Samples) -> SideSize:
        speakers, clips = self.store.manifest["speaker"].to_numpy(), np.unique(read.clips)
        return SideSize(len(clips), len(set(speakers[clips])), len(read))

    @property
    def read(self) -> dict[Side, Samples]:
        """Samples that are read: those that the model is trained on, of validation and of test."""
        return {**self.samples, "train": self.fitted}

    @property
    def epoch_samples(self) -> int:
        """Training samples per epoch."""
        size = self._size_of(self.fitted)
        if self.record.recipe.train.view_sampling == "all":
            return size.samples
        # Each clip has the same views; a clip that is repeated counts as often.
        return size.samples // len(self.fitted.view_indices)

    @property
    def smallest_batch(self) -> int:
        """Samples of the smallest batch of an epoch; batches differ by at most 1."""
        batches = math.ceil(self.epoch_samples / self.record.recipe.train.batch_size)
        return self.epoch_samples // batches

    def resume_command(self, folder: Path, *, explain: bool = False) -> str:
        """Command that resumes this training in ``folder``."""
        return resume_command(folder, self.store_option, explain=explain)

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences about clips left out, missing classes, the split and the audit."""
        if isinstance(self.targets, DimensionTargets):
            absent = _constant_dimensions(self.targets.names, self.samples)
        else:
            absent = _absent_classes(self.targets.names, self.samples)
        found = (*self.targets.notices, *absent, *self.split.notices, *self.audit.notices, *self.remarks)
        searched, linear = self.record.searched, isinstance(self.record.recipe.model, LinearSpec)
        return found if searched is None else (*found, searched_notice(searched, linear=linear))


def searched_notice(searched: SearchSummary, *, linear: bool) -> str:
    """One sentence on what a search trains on, and what its validation results and curves are of."""
    unheard = {"speaker": "the clip's speaker", "sentence": "the clip's sentence", "clip": "the clip"}
    curves = "" if linear else ", but the curves are of clips it has heard"
    return (
        "a search chose the recipe, and the model is trained on training and validation clips: its "
        f"validation results are by models that have not heard {unheard[searched.held_out_by]}{curves}"
    )


def _constant_dimensions(names: tuple[str, ...], samples: dict[Side, Samples]) -> list[str]:
    """One sentence per held-out side on which all clips have the same value of dimensions."""
    sentences = []
    sides: tuple[Side, ...] = ("validation", "test")
    for side in sides:
        values = samples[side].values
        alike = [name for name, column in zip(names, values.T, strict=True) if column.min() == column.max()]
        if alike:
            sentences.append(
                f"all {side} clips have the same {' and '.join(alike)}, so the CCC there is 0, whatever "
                f"the model predicts"
            )
    return sentences


def _absent_classes(names: tuple[str, ...], samples: dict[Side, Samples]) -> list[str]:
    """One sentence per side that lacks classes; classes missing from training are reported only there."""
    consequences: dict[Side, str] = {
        "train": "no training clip is {}: the model cannot learn it",
        "validation": "no validation clip is {}: the choice of the best epoch ignores it",
        "test": "no test clip is {}: UA and macro-F1 are over the other classes",
    }
    untrained: set[int] = set()
    sentences = []
    for side in SIDES:
        absent = sorted(set(range(len(names))) - set(np.unique(samples[side].classes).tolist()) - untrained)
        if absent:
            sentences.append(consequences[side].format(" or ".join(names[i] for i in absent)))
        if side == "train":
            untrained.update(absent)
    return sentences
