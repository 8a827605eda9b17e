"""Progress of training on the terminal: one line per epoch, and a bar within it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from featurestore.cli.console import ConsoleProgress, err, note
from schemas.messages.counts import choose_form
from training.runs.observer import AnyEpochResult, EpochResult, Start


class ConsoleObserver:
    """Reports training on standard error; a context manager, so that no bar is left on the screen."""

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
        """Print a note, once even if every fold has it."""
        if sentence not in self._noticed:
            self._noticed.add(sentence)
            note(sentence)

    def started(self, start: Start) -> None:
        """Print the run folder, the sides of the split and the device."""
        err.print(f"run folder: {start.folder}", markup=False)
        sides = "; ".join(
            f"{name} {size.clips} {choose_form(size.clips, 'clip')} of {size.speakers} "
            f"{choose_form(size.speakers, 'speaker')}"
            for name, size in start.sides.items()
        )
        err.print(f"{sides}; {start.epoch_samples} {choose_form(start.epoch_samples, 'sample')} per epoch")
        err.print(f"training on {start.device}, CPU threads: {start.threads}")

    def loading_started(self, samples: int) -> None:
        """Open the bar of reading."""
        self._open("load", samples, "samples")

    def loaded(self, samples: int) -> None:
        """Advance the bar of reading."""
        self._advance(samples)

    def epoch_started(self, epoch: int, batches: int, done: int) -> None:
        """Open the bar of an epoch."""
        self._open(f"epoch {epoch}", batches, "batches")
        self._advance(done)

    def batch_done(self) -> None:
        """Advance the bar of the epoch."""
        self._advance(1)

    def epoch_done(self, result: AnyEpochResult) -> None:
        """Close the bar and print one line."""
        self._bar.close()
        if isinstance(result, EpochResult):
            reached = f"UA {100 * result.validation_ua:.1f} %  WA {100 * result.validation_wa:.1f} %"
        else:
            reached = f"CCC {result.validation_ccc:.3f}  RMSE {result.validation_rmse:#.3g}"
        err.print(
            f"epoch {result.epoch:3}  loss {result.train_loss:.3f}  validation loss "
            f"{result.validation_loss:.3f}  {reached}  lr {result.learning_rate:.2e}  "
            f"{result.seconds:.1f} s{'  best' if result.best else ''}"
        )

    def _open(self, description: str, total: int, unit: str) -> None:
        self._bar.close()
        self._advance = self._bar.enter_context(self._progress.task(description, total, unit))


def _ignore(count: int) -> None:
    del count
