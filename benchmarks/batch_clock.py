"""A clock for training loops: batches per second after a warm-up, without pauses between epochs."""

from __future__ import annotations

import time

import torch


class BatchClock:
    """Times ``batches`` after a warm-up of ``warm_up``; synchronises with ``device`` at both ends."""

    def __init__(self, warm_up: int, batches: int, device: torch.device) -> None:
        self.warm_up, self.batches = warm_up, batches
        self.seen = self.timed = 0
        self.seconds = 0.0
        self._device = device
        self._since: float | None = None

    @property
    def full(self) -> bool:
        """Whether all batches have been timed."""
        return self.timed >= self.batches

    def batch_done(self) -> None:
        """Count a batch; the clock starts after the last batch of the warm-up."""
        self.seen += 1
        if self._since is not None:
            self.timed += 1
            if self.full:
                self.pause()
        elif self.seen == self.warm_up:
            self.go()

    def go(self) -> None:
        """Start the clock, if the warm-up is over."""
        if self.seen >= self.warm_up and not self.full:
            self._since = self._now()

    def pause(self) -> None:
        """Stop the clock, for example for a validation."""
        if self._since is not None:
            self.seconds += self._now() - self._since
            self._since = None

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()
