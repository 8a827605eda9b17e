"""Progress of a training run: finished epochs, and the position within the current one."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from schemas.training import Monitor
from training.runs.observer import AnyEpochResult, EpochResult


@dataclass
class TrainingProgress:
    """Finished epochs, and the state of the current one.

    ``best_weights`` is the state of the validated model after the best epoch, on the CPU. ``batch`` is the
    next batch of the current epoch; ``loss`` and ``weight`` are sums over the batches before it.
    """

    history: list[AnyEpochResult] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    batch: int = 0
    loss: float = 0.0
    weight: float = 0.0
    seconds: float = 0.0
    """Seconds spent on the current epoch before the run was resumed."""

    def add(self, result: AnyEpochResult, weights: dict[str, Tensor]) -> None:
        """Add a finished epoch, after which the validated model has ``weights``."""
        self.history.append(result)
        self.batch, self.loss, self.weight, self.seconds = 0, 0.0, 0.0, 0.0
        if result.best:
            self.best_weights = {name: t.detach().cpu().clone() for name, t in weights.items()}

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    @property
    def best(self) -> AnyEpochResult | None:
        """The best epoch; the first one if several are equal."""
        return next((result for result in reversed(self.history) if result.best), None)

    def exhausted(self, patience: int | None) -> bool:
        """Whether the last ``patience`` epochs were not better; False if ``patience`` is None."""
        return patience is not None and self.best is not None and self.epoch - self.best.epoch >= patience

    def improves(self, result: AnyEpochResult, monitor: Monitor) -> bool:
        """Whether ``result`` is better than every earlier epoch, by any amount."""
        return self.best is None or _merit(result, monitor) > _merit(self.best, monitor)


def _merit(result: AnyEpochResult, monitor: Monitor) -> float:
    match monitor:
        case "loss":
            return -result.validation_loss
        case "last":
            return result.epoch
        case "wa" | "ua" if isinstance(result, EpochResult):
            return result.validation_wa if monitor == "wa" else result.validation_ua
        case _:
            raise ValueError(f"monitor {monitor} is for classes")
