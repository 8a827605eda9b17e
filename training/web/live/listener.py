"""Listens to one page: takes samples as they arrive, and answers with each window once it is predicted.

::

    messages ──▶ take: checks them ──▶ waiting samples ──▶ answer: window stream, in a thread ──▶ rows

Samples that arrive while the model predicts wait together. Once they are fed, windows that ended more than a
second ago are skipped, so that the page shows the present even if the model is slower than the sound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from schemas.errors import UsageError
from schemas.segmentation import Windows
from training.http.protocol import Message, Receive, Send
from training.predict.ensemble import Ensemble
from training.predict.predictor import Prediction
from training.predict.streaming import WindowStream
from training.predict.windows import Waveform
from training.web.live.messages import Asked, Change, Cut, End, Row, Start, asked

PATIENCE_S = 1.0
"""Windows that ended this many seconds ago are skipped."""

SILENT_S = 20.0
"""Seconds without any message after which a page is considered gone."""

MOST_WAITING_S = 30.0
"""Most seconds of sound that may wait for the model."""

_DTYPE = np.dtype("<f4")

_Found = TypeVar("_Found")


class _RefusedMessageError(Exception):
    """A message that the page does not send. Its text is a sentence."""


class _GoneError(Exception):
    """The page was closed."""


class Listener:
    """One page that listens. ``pool`` : threads in which the model predicts."""

    def __init__(
        self, model: Ensemble, longest_s: float, pool: Executor, receive: Receive, send: Send
    ) -> None:
        self._model = model
        self._longest_s = longest_s
        self._pool = pool
        self._receive = receive
        self._send = send
        self._waiting: list[Waveform | Cut] = []
        self._taken = 0
        self._fed = 0
        self._ended = False
        self._problem: str | None = None
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        """Listen to an accepted WebSocket until its page stops or is closed, or sends something wrong."""
        try:
            start = await self._started()
            self._require_windows(start)
            stream = self._model.stream(start.rate, start.window_s, start.step_s)
            stream.quietest, stream.patience_s = start.quietest, PATIENCE_S
            await self._answer_all(stream, start.rate)
        except _RefusedMessageError as error:
            self._problem = str(error)
        except _GoneError:
            return
        await self._tell(End(problem=self._problem))
        await self._send({"type": "websocket.close", "code": 1000})

    def _require_windows(self, cut: Cut) -> None:
        try:
            self._model.require_windows(Windows(cut.window_s, cut.step_s))
        except UsageError as error:
            raise _RefusedMessageError(
                f"the model does not hear windows of {cut.window_s:g} s; choose another, and start again"
            ) from error

    async def _answer_all(self, stream: WindowStream, rate: int) -> None:
        taking = asyncio.create_task(self._take(rate))
        answering = asyncio.create_task(self._answer(stream))
        try:
            await asyncio.wait((taking, answering), return_when=asyncio.FIRST_EXCEPTION)
            for task in (taking, answering):
                if task.done():
                    task.result()
        finally:
            for task in (taking, answering):
                task.cancel()
            await asyncio.gather(taking, answering, return_exceptions=True)

    async def _started(self) -> Start:
        message = await self._next()
        found = _read(message)
        if not isinstance(found, Start):
            raise _RefusedMessageError("the page must start before it sends sound; reload it")
        return found

    async def _take(self, rate: int) -> None:
        """Take messages until the sound ends: because the page stops, or after the longest time."""
        most = round(self._longest_s * rate)
        while not self._ended:
            message = await self._next()
            if message.get("bytes") is not None:
                samples = _samples(message["bytes"])[: most - self._taken]
                self._taken += len(samples)
                self._waiting.append(samples)
                if self._taken - self._fed > MOST_WAITING_S * rate:
                    raise _RefusedMessageError(
                        f"more than {MOST_WAITING_S:g} s of sound wait for the model; this machine is too "
                        "slow for it"
                    )
                if self._taken == most:
                    self._problem = f"this page listens for {self._longest_s:g} s at most; start again"
                    self._ended = True
            else:
                found = _read(message)
                if isinstance(found, Start):
                    raise _RefusedMessageError("the page has started already; reload it")
                if isinstance(found, Change):
                    self._require_windows(found)
                    self._waiting.append(found)
                else:
                    self._ended = True
            self._changed.set()

    async def _answer(self, stream: WindowStream) -> None:
        ended = False
        while not ended:
            await self._changed.wait()
            self._changed.clear()
            ended, waiting, self._waiting = self._ended, self._waiting, []
            for each in _joined(waiting):
                if isinstance(each, Cut):
                    stream.change(Windows(each.window_s, each.step_s))
                    stream.quietest = each.quietest
                else:
                    await self._send_rows(stream, await self._compute(stream.feed, each))
                    self._fed += len(each)
        await self._send_rows(stream, stream.finish())

    async def _send_rows(self, stream: WindowStream, found: Iterator[Prediction]) -> None:
        while (one := await self._compute(next, found, None)) is not None:
            probabilities = None if one.probabilities is None else one.probabilities.tolist()
            await self._tell(
                Row(
                    start_s=one.start_s,
                    stop_s=one.stop_s,
                    probabilities=probabilities,
                    skipped=stream.skipped,
                )
            )

    async def _compute(self, work: Callable[..., _Found], *given: object) -> _Found:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *given)

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(SILENT_S):
                message = await self._receive()
        except TimeoutError:
            raise _RefusedMessageError(f"no sound arrived for {SILENT_S:g} s; start again") from None
        if message["type"] == "websocket.disconnect":
            raise _GoneError
        return message

    async def _tell(self, message: BaseModel) -> None:
        await self._send({"type": "websocket.send", "text": message.model_dump_json()})


def _read(message: Message) -> Asked:
    text = message.get("text")
    if text is None:
        raise _RefusedMessageError("the page must start before it sends sound; reload it")
    try:
        return asked.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = str(first["loc"][-1]) if first["loc"] else "message"
        raise _RefusedMessageError(
            f"the server does not accept this {where}: {first['msg'].lower()}; change it, and start again"
        ) from error


def _samples(content: bytes) -> Waveform:
    """Samples (n,) float32 of a binary message."""
    if len(content) % _DTYPE.itemsize:
        raise _RefusedMessageError("a block of sound breaks off within a sample; start again")
    samples = np.frombuffer(content, _DTYPE).astype(np.float32)
    if not np.isfinite(samples).all():
        raise _RefusedMessageError("the microphone returns NaN or infinite samples; use another device")
    return samples


def _joined(waiting: list[Waveform | Cut]) -> Iterator[Waveform | Cut]:
    """Samples and changes in order, with samples between changes joined."""
    together: list[Waveform] = []
    for each in waiting:
        if isinstance(each, Cut):
            if together:
                yield np.concatenate(together)
            together = []
            yield each
        else:
            together.append(each)
    if together:
        yield np.concatenate(together)
