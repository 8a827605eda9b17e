"""How far a training has come."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from schemas.training import Monitor
from training.runs.observer import EpochResult


@dataclass
class TrainingProgress:
    """Finished epochs, and where the one that is under way stands.

    ``best_weights`` is the state of the model that is validated, on the CPU, after the best of these epochs;
    ``batch`` is the batch of the current epoch that is next, ``loss`` and ``weight`` are sums over those
    before.
    """

    history: list[EpochResult] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    batch: int = 0
    loss: float = 0.0
    weight: float = 0.0
    seconds: float = 0.0
    """Of the current epoch, in processes that have ended."""

    def add(self, result: EpochResult, weights: dict[str, Tensor]) -> None:
        """Take up one more epoch, after which the model that is validated has ``weights``."""
        self.history.append(result)
        self.batch, self.loss, self.weight, self.seconds = 0, 0.0, 0.0, 0.0
        if result.best:
            self.best_weights = {name: t.detach().cpu().clone() for name, t in weights.items()}

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.history)

    @property
    def best(self) -> EpochResult | None:
        """The best epoch: the first of equals."""
        return next((result for result in reversed(self.history) if result.best), None)

    def exhausted(self, patience: int | None) -> bool:
        """Whether ``patience`` epochs in a row were not better; never where it is None."""
        return patience is not None and self.best is not None and self.epoch - self.best.epoch >= patience

    def improves(self, result: EpochResult, monitor: Monitor) -> bool:
        """Whether ``result`` is better than every epoch before it, by however little."""
        return self.best is None or _merit(result, monitor) > _merit(self.best, monitor)


def _merit(result: EpochResult, monitor: Monitor) -> float:
    match monitor:
        case "loss":
            return -result.validation_loss
        case "wa":
            return result.validation_wa
        case "ua":
            return result.validation_ua
        case "last":
            return result.epoch
