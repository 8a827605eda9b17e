"""Sound from the system's microphone, by sounddevice (PortAudio).

::

    device ──callback, its own thread──▶ queue ──▶ blocks (n,) float32 mono at the device's rate

The queue keeps what comes while a model is asked, so that only a machine too busy to run the callback itself
loses sound; PortAudio tells that, and so do we.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.errors import SerError

PATIENCE_S = 5.0
"""Without a block for so long, the device is gone."""

_POLL_S = 0.1


class MicrophoneError(SerError):
    """There is no microphone, or no way to it."""


class BlockStatus(Protocol):
    """What PortAudio tells of a block."""

    @property
    def input_overflow(self) -> bool:
        """Whether sound was lost before it."""


class AudioStream(Protocol):
    """A ``sounddevice.InputStream``, as far as it is used."""

    @property
    def samplerate(self) -> float:
        """Hz."""


Callback = Callable[[NDArray[np.float32], int, Any, BlockStatus], None]
"""Called with each block (n, channels), which is the device's again when it returns."""

OpenStream = Callable[[Callback], AbstractContextManager[AudioStream]]
"""Opens a stream that gives blocks to a callback while its context lasts."""


@dataclass(frozen=True)
class Microphone:
    """An open microphone: ``rate`` in Hz, and what comes from it."""

    rate: int
    _queue: SimpleQueue[tuple[NDArray[np.float32], bool]]

    def blocks(
        self, stopped: Callable[[], bool], seconds: float | None, lost: Callable[[float], None]
    ) -> Iterator[NDArray[np.float32]]:
        """Blocks (n,) float32 until ``stopped``, or for ``seconds``, to the sample.

        ``lost`` is called with the second before which sound was lost. Raises :class:`MicrophoneError` where
        nothing comes for :data:`PATIENCE_S`, or numbers that are no sound.
        """
        most = None if seconds is None else round(seconds * self.rate)
        taken, waited = 0, 0.0
        while not stopped() and (most is None or taken < most):
            try:
                channels, overflowed = self._queue.get(timeout=_POLL_S)
            except Empty:
                waited += _POLL_S
                if waited >= PATIENCE_S:
                    raise MicrophoneError(
                        f"the microphone has given nothing for {PATIENCE_S:g} s; see whether it is connected "
                        "and free, and start again"
                    ) from None
                continue
            waited = 0.0
            if overflowed:
                lost(taken / self.rate)
            mono = channels.mean(axis=1, dtype=np.float32)
            block = mono if most is None else mono[: most - taken]
            if not np.isfinite(block).all():
                raise MicrophoneError("the microphone gives NaN or infinite samples; choose another device")
            taken += len(block)
            yield block


@contextmanager
def microphone(open_stream: OpenStream | None = None) -> Iterator[Microphone]:
    """The system's standard microphone, recording while the context lasts.

    ``open_stream``: another source of the same contract. Raises :class:`MicrophoneError` where sounddevice,
    PortAudio or a device is missing.
    """
    queue: SimpleQueue[tuple[NDArray[np.float32], bool]] = SimpleQueue()

    def receive(block: NDArray[np.float32], count: int, time: object, status: BlockStatus) -> None:
        del count, time
        queue.put((block.copy(), bool(status.input_overflow)))

    with (open_stream or _system_stream)(receive) as stream:
        yield Microphone(round(stream.samplerate), queue)


@contextmanager
def _system_stream(callback: Callback) -> Iterator[AudioStream]:
    sounddevice = import_sounddevice()
    try:
        device = sounddevice.query_devices(kind="input")
        stream = sounddevice.InputStream(
            samplerate=device["default_samplerate"], channels=1, dtype="float32", callback=callback
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise _no_microphone(error) from error
    try:
        try:
            stream.start()
        except sounddevice.PortAudioError as error:
            raise _no_microphone(error) from error
        yield stream
    finally:
        stream.close()


def _no_microphone(error: Exception) -> MicrophoneError:
    return MicrophoneError(f"no microphone can be opened ({error}); connect one, or give recordings instead")


def import_sounddevice() -> Any:
    """The package sounddevice. Raises :class:`MicrophoneError` where it or PortAudio is missing."""
    try:
        import sounddevice
    except ImportError as error:
        raise MicrophoneError(
            "--microphone takes the package sounddevice, which is missing; install ser-features[mic]"
        ) from error
    except OSError as error:  # the package is there, its library is not
        raise MicrophoneError(
            f"--microphone takes PortAudio ({error}); on Debian and Ubuntu: apt-get install libportaudio2"
        ) from error
    return sounddevice
