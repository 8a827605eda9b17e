"""What a training tells those who watch it, such as a progress bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from training.splits.side import Side


@dataclass(frozen=True)
class SideSize:
    """What one side of a split holds."""

    clips: int
    speakers: int
    samples: int


@dataclass(frozen=True)
class Start:
    """What a training starts with. ``threads`` are those of the CPU; ``sides`` are those of the split."""

    folder: Path
    device: str
    threads: int
    sides: Mapping[Side, SideSize]
    epoch_samples: int
    """Samples that are trained on in an epoch."""


@dataclass(frozen=True)
class EpochResult:
    """One row of ``history.csv``. Losses are mean cross-entropies in nats; epochs count from 1."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_ua: float
    validation_wa: float
    learning_rate: float
    seconds: float
    best: bool
    """Whether the validation metric that is monitored is the best so far."""


class EpochObserver(Protocol):
    """Is told what the training loop does. Every method returns at once and changes nothing."""

    def epoch_started(self, epoch: int, batches: int, done: int) -> None:
        """Epoch ``epoch`` begins, of ``batches`` training batches, of which ``done`` are done already."""

    def batch_done(self) -> None:
        """One more training batch is done."""

    def epoch_done(self, result: EpochResult) -> None:
        """Training and validation of an epoch are done and saved."""


class Observer(EpochObserver, Protocol):
    """Is told what a whole training does, reading included."""

    def notice(self, sentence: str) -> None:
        """Something a person should know, such as clips that were left out."""

    def started(self, start: Start) -> None:
        """The run folder stands and nobody else trains in it; reading is next."""

    def loading_started(self, samples: int) -> None:
        """Reading ``samples`` samples from the store begins."""

    def loaded(self, samples: int) -> None:
        """``samples`` more samples have been read."""


class SilentObserver:
    """An observer that does nothing; also a base for those who care about few of the events."""

    def notice(self, sentence: str) -> None:
        """Do nothing."""

    def started(self, start: Start) -> None:
        """Do nothing."""

    def loading_started(self, samples: int) -> None:
        """Do nothing."""

    def loaded(self, samples: int) -> None:
        """Do nothing."""

    def epoch_started(self, epoch: int, batches: int, done: int) -> None:
        """Do nothing."""

    def batch_done(self) -> None:
        """Do nothing."""

    def epoch_done(self, result: EpochResult) -> None:
        """Do nothing."""
