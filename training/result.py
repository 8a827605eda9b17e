"""What a training found, and its plain values for ``metrics.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.audit import Audit
from training.metrics import Evaluation
from training.observer import EpochResult, SideSize
from training.run import RunFolder, RunRecord
from training.samples import Side


@dataclass(frozen=True)
class RunResult:
    """What a training found. ``title`` names the protocol and stands beside every figure."""

    folder: RunFolder
    record: RunRecord
    title: str
    """:attr:`training.split.Split.title`, such as ``speaker-independent (protocol: speaker)``."""
    test: Evaluation
    validation: Evaluation
    best_epoch: int
    history: tuple[EpochResult, ...]
    sides: Mapping[Side, SideSize]
    corpora: Mapping[Side, tuple[str, ...]]
    """Names of the corpora on each side, sorted."""
    audit: Audit
    notices: tuple[str, ...]
    report: str
    """Text table for people."""

    @property
    def subject(self) -> str:
        """Model and what it was trained on: ``model A, trained on ravdess and tess``."""
        *others, last = self.corpora["train"]
        named = f"{', '.join(others)} and {last}" if others else last
        return f"model {self.record.recipe.model.name}, trained on {named}"

    @property
    def ending(self) -> str:
        """Why training ended, as ``12 epochs: stopped early, after 5 without a better validation loss``."""
        spec, epochs = self.record.recipe.train, len(self.history)
        counted = f"{epochs} epoch{'' if epochs == 1 else 's'}"
        if spec.patience is not None and epochs - self.best_epoch >= spec.patience:
            return f"{counted}: stopped early, after {spec.patience} without a better validation loss"
        return f"{counted}: the limit was reached"

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``metrics.json``; equal for equal runs, so without times and paths."""
        recipe = self.record.recipe
        return {
            "protocol": self.audit.protocol,
            "title": self.title,
            "recipe": recipe.name,
            "model": recipe.model.name,
            "store_digest": self.record.store_digest,
            "seed": self.record.seed,
            "views": list(recipe.train.views or ()),
            "best_epoch": self.best_epoch,
            "epochs": len(self.history),
            "test": self.test.to_json(),
            "validation": self.validation.to_json(),
        }
