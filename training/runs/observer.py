"""What training reports while it runs, to a progress bar for example."""

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
    """What a training run starts with. ``threads`` are CPU threads; ``sides`` are the sides of the split."""

    folder: Path
    device: str
    threads: int
    sides: Mapping[Side, SideSize]
    epoch_samples: int
    """Training samples per epoch."""


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
    """Whether the monitored validation metric is the best so far."""


@dataclass(frozen=True)
class DimensionEpochResult:
    """One row of ``history.csv`` of a regression. Losses are means of 1 - CCC over the dimensions.

    ``validation_ccc`` and ``validation_rmse`` are means over the dimensions, of all validation clips.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_ccc: float
    validation_rmse: float
    learning_rate: float
    seconds: float
    best: bool
    """Whether the validation loss is the lowest so far."""


AnyEpochResult = EpochResult | DimensionEpochResult


class EpochObserver(Protocol):
    """Receives the events of the training loop. Every method returns quickly and changes nothing."""

    def epoch_started(self, epoch: int, batches: int, done: int) -> None:
        """Epoch ``epoch`` has started: ``batches`` training batches, ``done`` of them already trained."""

    def batch_done(self) -> None:
        """Another training batch is done."""

    def epoch_done(self, result: AnyEpochResult) -> None:
        """An epoch was trained, validated and saved."""


class Observer(EpochObserver, Protocol):
    """Receives the events of a whole training, reading included."""

    def notice(self, sentence: str) -> None:
        """Something that people should know, such as clips that were left out."""

    def started(self, start: Start) -> None:
        """The run folder exists and is locked; reading is next."""

    def loading_started(self, samples: int) -> None:
        """Reading of ``samples`` samples from the store has started."""

    def loaded(self, samples: int) -> None:
        """``samples`` more samples were read."""


class SilentObserver:
    """An observer that ignores every event; also a base class for observers of a few of them."""

    def notice(self, sentence: str) -> None:
        """Ignore the event."""

    def started(self, start: Start) -> None:
        """Ignore the event."""

    def loading_started(self, samples: int) -> None:
        """Ignore the event."""

    def loaded(self, samples: int) -> None:
        """Ignore the event."""

    def epoch_started(self, epoch: int, batches: int, done: int) -> None:
        """Ignore the event."""

    def batch_done(self) -> None:
        """Ignore the event."""

    def epoch_done(self, result: AnyEpochResult) -> None:
        """Ignore the event."""
