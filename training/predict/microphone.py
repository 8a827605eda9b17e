"""Sound from the system's microphone through sounddevice (PortAudio).

::

    device ──callback, its own thread──▶ queue ──▶ blocks (n,) float32 mono at the device's rate

The queue keeps the sound that arrives while a model predicts. Sound is lost only if the machine is too busy
to run the callback; PortAudio reports this, and so does this module.
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
"""If no block arrives for this many seconds, the device is considered gone."""

_POLL_S = 0.1


class MicrophoneError(SerError):
    """There is no microphone, or it cannot be used."""


class BlockStatus(Protocol):
    """PortAudio's status of a block."""

    @property
    def input_overflow(self) -> bool:
        """Whether sound was lost before the block."""


class AudioStream(Protocol):
    """The part of ``sounddevice.InputStream`` that is used here."""

    @property
    def samplerate(self) -> float:
        """Sample rate in Hz."""


Callback = Callable[[NDArray[np.float32], int, Any, BlockStatus], None]
"""Called with each block (n, channels), whose memory belongs to the device again after it returns."""

OpenStream = Callable[[Callback], AbstractContextManager[AudioStream]]
"""Opens a stream that passes blocks to a callback within its context."""


@dataclass(frozen=True)
class Microphone:
    """An open microphone: its sample ``rate`` in Hz, and its blocks."""

    rate: int
    _queue: SimpleQueue[tuple[NDArray[np.float32], bool]]

    def blocks(
        self, stopped: Callable[[], bool], seconds: float | None, lost: Callable[[float], None]
    ) -> Iterator[NDArray[np.float32]]:
        """Yield blocks (n,) float32 until ``stopped``, or for exactly ``seconds``.

        ``lost`` is called with the time in seconds before which sound was lost. Raises
        :class:`MicrophoneError` if nothing arrives for :data:`PATIENCE_S`, or if samples are not finite.
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
                        f"no sound from the microphone for {PATIENCE_S:g} s; check that it is connected and "
                        "not used by another program, and start again"
                    ) from None
                continue
            waited = 0.0
            if overflowed:
                lost(taken / self.rate)
            mono = channels.mean(axis=1, dtype=np.float32)
            block = mono if most is None else mono[: most - taken]
            if not np.isfinite(block).all():
                raise MicrophoneError("the microphone returns NaN or infinite samples; use another device")
            taken += len(block)
            yield block


@contextmanager
def microphone(open_stream: OpenStream | None = None) -> Iterator[Microphone]:
    """Open the system's default microphone, which records within the context.

    ``open_stream`` replaces the device by another source. Raises :class:`MicrophoneError` if sounddevice,
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
    return MicrophoneError(f"cannot open a microphone ({error}); connect one, or give recordings instead")


def import_sounddevice() -> Any:
    """Import the package sounddevice. Raises :class:`MicrophoneError` if it or PortAudio is missing."""
    try:
        import sounddevice
    except ImportError as error:
        raise MicrophoneError(
            "--microphone needs the package sounddevice, which is not installed; install ser-features[mic]"
        ) from error
    except OSError as error:  # the package is installed, but its library is not
        raise MicrophoneError(
            f"--microphone needs PortAudio ({error}); on Debian and Ubuntu: apt-get install libportaudio2"
        ) from error
    return sounddevice
