"""Times the batches of a training run as `ser-train` runs it, and stops it afterwards."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from pipelines.process import keep_freed_memory, spin_briefly

spin_briefly()  # before torch is imported, as the command does

import torch  # noqa: E402
from batch_clock import BatchClock  # noqa: E402

from schemas.recipe import load_recipe  # noqa: E402
from training.runs.observer import EpochResult, SilentObserver  # noqa: E402
from training.runs.request import Hardware, TrainRequest  # noqa: E402
from training.train import train  # noqa: E402


class EnoughError(Exception):
    """Ends training when all batches are timed; not an error."""


class Timer(SilentObserver):
    """Times the training batches of all epochs, without the time between epochs."""

    def __init__(self, clock: BatchClock) -> None:
        self.clock = clock
        self.left = 0

    def epoch_started(self, epoch: int, batches: int, done: int) -> None:  # noqa: ARG002
        """Start the clock again."""
        self.left = batches - done
        self.clock.go()

    def batch_done(self) -> None:
        """Count; validation follows the last batch of an epoch."""
        self.clock.batch_done()
        self.left -= 1
        if self.clock.full:
            raise EnoughError
        if self.left == 0:
            self.clock.pause()

    def epoch_done(self, result: EpochResult) -> None:
        """Do nothing, as the clock is stopped."""


def seconds_a_batch(
    recipe: str, model: str, store: Path, device: str, precision: str, warm_up: int, batches: int
) -> float:
    """Samples per second of training on ``store``; ``precision`` as in a recipe."""
    keep_freed_memory()
    clock = BatchClock(warm_up, batches, torch.device(device))
    with tempfile.TemporaryDirectory() as runs:
        request = TrainRequest(
            store=store,
            recipe=load_recipe(recipe),
            changes=(
                *(() if load_recipe(recipe).model.name == model else (f"model.name={model}",)),
                f'train.precision="{precision}"',
                'split.protocol="speaker"',
                "where=null",
                "train.patience=null",
                "train.epochs=100000",
            ),
            output=Path(runs),
            hardware=Hardware(device="cuda" if device == "cuda" else "cpu", cuda_graphs=device == "cuda"),
        )
        with suppress(EnoughError):
            train(request, Timer(clock))
    return clock.seconds / clock.timed
