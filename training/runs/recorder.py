"""Record a run's history while it trains: ``history.csv`` and TensorBoard events."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from types import TracebackType
from typing import Self

from training.runs.observer import AnyEpochResult, EpochObserver, EpochResult
from training.runs.run import RunFolder


class Recorder:
    """Observer that records every epoch and forwards all events to ``observer``.

    ``history`` is what the run recorded before it was stopped. TensorBoard hides events of later epochs,
    which a killed run may have written.
    """

    def __init__(self, folder: RunFolder, history: Sequence[AnyEpochResult], observer: EpochObserver) -> None:
        from training.runs.tensorboard_events import EventFile  # slow to import

        self._folder = folder
        self._history = list(history)
        self._observer = observer
        self._events = EventFile(folder.path / "tensorboard", first_step=len(history) + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.__exit__(kind, error, trace)

    def epoch_started(self, epoch: int, batches: int, done: int) -> None:
        """Forward the event."""
        self._observer.epoch_started(epoch, batches, done)

    def batch_done(self) -> None:
        """Forward the event."""
        self._observer.batch_done()

    def epoch_done(self, result: AnyEpochResult) -> None:
        """Record the epoch, then forward the event."""
        self._history.append(result)
        self._folder.write_text("history.csv", history_csv(self._history))
        self._events.add(
            result.epoch,
            {
                "loss/train": result.train_loss,
                "loss/validation": result.validation_loss,
                **_validation(result),
                "learning rate": result.learning_rate,
            },
        )
        self._observer.epoch_done(result)


def _validation(result: AnyEpochResult) -> dict[str, float]:
    """Validation metrics, by TensorBoard's tag."""
    if isinstance(result, EpochResult):
        return {"validation/UA": result.validation_ua, "validation/WA": result.validation_wa}
    return {"validation/CCC": result.validation_ccc, "validation/RMSE": result.validation_rmse}


def history_csv(history: Sequence[AnyEpochResult]) -> str:
    """One row per epoch, with a header."""
    text = io.StringIO()
    kind = type(history[0]) if history else EpochResult
    writer = csv.DictWriter(text, [f.name for f in fields(kind)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(result) for result in history)
    return text.getvalue()
