"""Scores the clips of several requests together, in one thread.

::

    threads with features ──▶ queue ──▶ the scoring thread: waits at most ``wait_s`` ──▶ one call of the model
            ▲                                                                                 │
            └───────────────────────────── each its rows ◀────────────────────────────────────┘

The thread does not wait if every request that is being computed has already asked. A batch changes only the
order of sums: probabilities are equal to those of single clips within 1e-6.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from schemas.errors import SerError
from training.predict.scorer import Scorer
from training.serve.turns import Turns

MOST_CLIPS = 32
"""Most clips of a batch."""


class StoppingError(SerError):
    """The service stops and computes nothing more."""


class _Asked:
    """Clips of one request that wait for their scores."""

    def __init__(self, score: Scorer, features: Tensor, valid: Tensor) -> None:
        self.score, self.features, self.valid = score, features, valid
        self.since = time.monotonic()
        self.answer: Future[NDArray[np.float64]] = Future()


class Batches:
    """The scoring thread and its queue.

    ``observe`` : called with the number of clips of each batch. Call :meth:`close` at the end.
    """

    def __init__(self, wait_s: float, turns: Turns, observe: Callable[[int], object]) -> None:
        self._wait_s, self._turns, self._observe = wait_s, turns, observe
        self._asked: list[_Asked] = []
        self._computing = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="score", daemon=True)
        self._thread.start()

    def scorer(self, score: Scorer) -> Scorer:
        """``score``, computed in batches. To be called within a turn, which is left while it waits."""

        def ask(features: Tensor, valid: Tensor) -> NDArray[np.float64]:
            asked = _Asked(score, features, valid)
            with self._changed:
                if self._closed:
                    raise StoppingError("the service stops; send the request again later")
                self._asked.append(asked)
                self._changed.notify_all()
            with self._turns.left():
                return asked.answer.result()

        return ask

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Within the context, a request is being computed and may ask soon."""
        with self._changed:
            self._computing += 1
        try:
            yield
        finally:
            with self._changed:
                self._computing -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Answer what has been asked, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        torch.set_num_threads(1)
        while batch := self._next():
            self._observe(sum(len(asked.valid) for asked in batch))
            _answer(batch)

    def _next(self) -> list[_Asked]:
        """Wait for the next batch, all of one model; empty at the end."""
        with self._changed:
            while not self._is_due():
                self._changed.wait(self._patience_s())
            if not self._asked:
                return []
            first = self._asked[0]
            batch: list[_Asked] = []
            clips = 0
            for asked in self._asked:
                if asked.score is not first.score or (batch and clips + len(asked.valid) > MOST_CLIPS):
                    continue
                batch.append(asked)
                clips += len(asked.valid)
            self._asked = [asked for asked in self._asked if asked not in batch]
            return batch

    def _is_due(self) -> bool:
        if not self._asked:
            return self._closed
        return (
            self._closed
            or len(self._asked) >= self._computing
            or sum(len(asked.valid) for asked in self._asked) >= MOST_CLIPS
            or self._patience_s() == 0
        )

    def _patience_s(self) -> float | None:
        """Seconds until the first in the queue has waited long enough; None if there is none."""
        if not self._asked:
            return None
        return max(0.0, self._asked[0].since + self._wait_s - time.monotonic())


def _answer(batch: Sequence[_Asked]) -> None:
    """Score a batch; if that fails, each request alone, so that only those fail that must."""
    try:
        features = torch.cat([asked.features for asked in batch])
        valid = torch.cat([asked.valid for asked in batch])
        found = batch[0].score(features, valid)
    except Exception as error:  # noqa: BLE001 the thread must go on, and the request reports the error
        if len(batch) == 1:
            batch[0].answer.set_exception(error)
            return
        for asked in batch:
            _answer([asked])
        return
    first = 0
    for asked in batch:
        asked.answer.set_result(found[first : first + len(asked.valid)])
        first += len(asked.valid)
