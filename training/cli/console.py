"""A training as its user watches it: one line an epoch, a bar within the epoch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from featurestore.cli.console import ConsoleProgress, err
from training.runs.observer import EpochResult, Start


class ConsoleObserver:
    """Tells on standard error what a training does; a context, so that no bar stays behind."""

    def __init__(self) -> None:
        self._progress = ConsoleProgress()
        self._bar = ExitStack()
        self._advance: Callable[[int], None] = _ignore
        self._noticed: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def notice(self, sentence: str) -> None:
        """See :class:`training.runs.observer.Observer`; what every fold says is printed once."""
        if sentence not in self._noticed:
            self._noticed.add(sentence)
            err.print(f"note: {sentence}", markup=False)

    def started(self, start: Start) -> None:
        """See :class:`training.runs.observer.Observer`."""
        err.print(f"run folder: {start.folder}", markup=False)
        sides = "; ".join(
            f"{name} {size.clips} clips of {size.speakers} speaker{'' if size.speakers == 1 else 's'}"
            for name, size in start.sides.items()
        )
        err.print(f"{sides}; {start.epoch_samples} samples an epoch")
        err.print(f"training on {start.device}, CPU threads: {start.threads}")

    def loading_started(self, samples: int) -> None:
        """See :class:`training.runs.observer.Observer`."""
        self._open("load", samples, "samples")

    def loaded(self, samples: int) -> None:
        """See :class:`training.runs.observer.Observer`."""
        self._advance(samples)

    def epoch_started(self, epoch: int, batches: int, done: int) -> None:
        """See :class:`training.runs.observer.Observer`."""
        self._open(f"epoch {epoch}", batches, "batches")
        self._advance(done)

    def batch_done(self) -> None:
        """See :class:`training.runs.observer.Observer`."""
        self._advance(1)

    def epoch_done(self, result: EpochResult) -> None:
        """See :class:`training.runs.observer.Observer`."""
        self._bar.close()
        err.print(
            f"epoch {result.epoch:3}  loss {result.train_loss:.3f}  validation loss "
            f"{result.validation_loss:.3f}  UA {100 * result.validation_ua:.1f} %  "
            f"WA {100 * result.validation_wa:.1f} %  lr {result.learning_rate:.2e}  "
            f"{result.seconds:.1f} s{'  best' if result.best else ''}"
        )

    def _open(self, description: str, total: int, unit: str) -> None:
        self._bar.close()
        self._advance = self._bar.enter_context(self._progress.task(description, total, unit))


def _ignore(count: int) -> None:
    del count
