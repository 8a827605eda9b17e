"""A live sound over a WebSocket: PCM comes in, and a row goes out as soon as a window is complete.

::

    messages ──▶ PCM: bytes to samples ──▶ queue, at most some seconds ──▶ a thread: windows ──▶ rows
        ▲                                          │
        └───────── nothing is read while it is full┘
"""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Literal, get_args

import numpy as np
from fastapi import WebSocket, WebSocketDisconnect

from pipelines.decode import LOUDEST_PEAK
from schemas.segmentation import Windows
from training.predict.json_rows import prediction_json
from training.predict.predictor import Prediction
from training.predict.windows import Waveform
from training.serve.account import Account
from training.serve.batches import StoppingError
from training.serve.limits import ServiceLimits
from training.serve.model import ServedModel
from training.serve.refusal import RefusedError

Encoding = Literal["s16le", "f32le"]
"""Samples as signed 16-bit integers, or as 32-bit floats within ±1, little-endian."""

ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

LOWEST_RATE, HIGHEST_RATE = 4_000, 192_000

END = "end"
"""The text that ends a sound."""

PAUSE_S = 20.0
"""Most seconds without a message, and until a client takes a row."""

_QUEUED = 16
"""Blocks that wait for the model; a client that sends faster has to wait."""

_FULL_S = 0.01


class Pcm:
    """Bytes of mono PCM as samples, however they are cut into messages."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._width = 2 if encoding == "s16le" else 4
        self._rest = b""

    def add(self, data: bytes) -> Waveform:
        """Samples (n,) float32 that are complete. Raises :class:`RefusedError` for ones that are no audio."""
        data = self._rest + data
        whole = len(data) - len(data) % self._width
        self._rest = data[whole:]
        if self._encoding == "s16le":
            return np.frombuffer(data[:whole], "<i2").astype(np.float32) / np.float32(2**15)
        samples = np.frombuffer(data[:whole], "<f4").astype(np.float32)
        if not np.abs(samples).max(initial=0.0) <= LOUDEST_PEAK:  # also NaN
            raise RefusedError(
                400, f"a sample is not finite, or beyond ±{LOUDEST_PEAK:g}; send audio within ±1"
            )
        return samples

    def end(self) -> None:
        """Raise :class:`RefusedError` if the sound ends within a sample."""
        if self._rest:
            raise RefusedError(400, f"the sound ends within a sample; send {self._encoding}, mono")


class Stream:
    """One sound of a client."""

    def __init__(
        self,
        websocket: WebSocket,
        model: ServedModel,
        rate: int,
        encoding: Encoding,
        windows: Windows,
        account: Account,
    ) -> None:
        self._websocket, self._model, self._account = websocket, model, account
        self._rate, self._windows = rate, windows
        self._pcm = Pcm(encoding)
        self._limits: ServiceLimits = model.limits
        self._blocks: queue.Queue[Waveform | None] = queue.Queue(_QUEUED)
        self._gone = False
        self._samples = 0

    async def answer(self, pool: ThreadPoolExecutor) -> None:
        """Answer until the sound ends.

        Raises :class:`RefusedError` for what is no such sound, and :class:`ClientGoneError`.
        """
        loop = asyncio.get_running_loop()
        predicting = loop.run_in_executor(pool, self._predict, loop)
        receiving = asyncio.create_task(self._receive(predicting))
        try:
            await asyncio.wait({receiving, predicting}, return_when=asyncio.FIRST_COMPLETED)
            await (receiving if receiving.done() else predicting)
            await predicting
        finally:
            self._gone = True
            receiving.cancel()
            _wake(self._blocks)
            self._account.audio_s += self._samples / self._rate
            await asyncio.wait({receiving, predicting})
            for task in (receiving, predicting):
                if not task.cancelled():
                    task.exception()  # has been raised above
        await self._send({END: True, "seconds": self._samples / self._rate, "rows": self._account.rows})
        with suppress(WebSocketDisconnect, OSError):  # the client has all rows, and may have left
            await self._websocket.close(1000)

    async def _receive(self, predicting: asyncio.Future[None]) -> None:
        """Put the samples of all messages into the queue, until the sound ends or the model fails."""
        while not predicting.done():
            try:
                async with asyncio.timeout(PAUSE_S):
                    message = await self._websocket.receive()
            except TimeoutError:
                raise RefusedError(408, f"no sound for {PAUSE_S:g} s; the stream was closed") from None
            if message["type"] == "websocket.disconnect":
                raise ClientGoneError
            if message.get("text") is not None:
                if message["text"].strip() != END:
                    raise RefusedError(400, f"send PCM as binary messages, and at the end the text {END}")
                self._pcm.end()
                await self._put(None, predicting)
                return
            data = message["bytes"]
            self._account.bytes += len(data)
            samples = self._pcm.add(data)
            self._samples += len(samples)
            if self._samples > self._limits.max_stream_seconds * self._rate:
                raise RefusedError(
                    413, f"longer than {self._limits.max_stream_seconds:g} s; end the stream and open another"
                )
            await self._put(samples, predicting)

    async def _put(self, block: Waveform | None, predicting: asyncio.Future[None]) -> None:
        while not predicting.done():
            try:
                self._blocks.put_nowait(block)
            except queue.Full:
                await asyncio.sleep(_FULL_S)
            else:
                return

    def _predict(self, loop: asyncio.AbstractEventLoop) -> None:
        """Predict windows as they are completed, and send their rows; in a thread."""
        for prediction in self._model.listen(self._heard(), self._rate, self._windows):
            with self._model.turns.left():
                asyncio.run_coroutine_threadsafe(self._send_row(prediction), loop).result()

    def _heard(self) -> Iterator[Waveform]:
        """Blocks of samples; what has arrived in the meantime is one block."""
        ended = False
        while not ended:
            with self._model.turns.left():
                blocks = [self._blocks.get()]
            while not self._blocks.empty():
                blocks.append(self._blocks.get_nowait())
            if self._gone:
                raise StoppingError("the client has gone")
            ended = blocks[-1] is None
            yield np.concatenate([np.zeros(0, np.float32), *(block for block in blocks if block is not None)])

    async def _send_row(self, prediction: Prediction) -> None:
        if self._gone:
            raise StoppingError("the client has gone")
        self._account.rows += 1
        await self._send(prediction_json(prediction))

    async def _send(self, document: object) -> None:
        """Send a message. Raises :class:`RefusedError` if the client does not take it for :data:`PAUSE_S`."""
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        try:
            async with asyncio.timeout(PAUSE_S):
                await self._websocket.send_text(text)
        except TimeoutError:
            raise RefusedError(408, f"no row was taken for {PAUSE_S:g} s; the stream was closed") from None
        except (WebSocketDisconnect, OSError):
            raise ClientGoneError from None


class ClientGoneError(Exception):
    """The client has closed the connection."""


def _wake(blocks: queue.Queue[Waveform | None]) -> None:
    """Wake the thread that waits for a block, also if the queue is full."""
    while True:
        try:
            blocks.put_nowait(None)
        except queue.Full:
            with suppress(queue.Empty):
                blocks.get_nowait()
        else:
            return
