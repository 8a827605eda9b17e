"""One builder at a time: a lock on a file system, or a lease that must be renewed everywhere else."""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread

from filelock import FileLock, Timeout

from featurestore.places.durable import storage_errors
from featurestore.places.folder import Folder
from featurestore.places.names import LOCK, TOKEN
from featurestore.places.place import Place
from featurestore.places.remote import Remote
from featurestore.places.retry import Patience
from schemas.errors import SerError, StoreBusyError, StoreDamagedError

_MOST_BYTES = 4096
"""The most bytes of a lock or token that this program writes."""


@dataclass(frozen=True)
class LeaseTimes:
    """Times in seconds, by the clock of the waiting process; clocks of different hosts are never compared."""

    beat: float = 5.0
    """Time between two renewals."""
    patience: float = 30.0
    """Time without a renewal after which a lease is free: several beats, to allow for slow requests."""
    settle: float = 2.0
    """Time between taking over and checking who holds the lease; longer than a request."""


_TIMES = LeaseTimes()


@contextmanager
def exclusive(place: Place, times: LeaseTimes = _TIMES) -> Iterator[str]:
    """Be the only builder at ``place``; yields the token of this builder for :func:`holds`.

    In a folder, this holds the system's own lock, which ends with the process. At a URL, the lease is an
    object that this process renews. A lease that is not renewed for ``times.patience`` is taken over, so the
    next build waits that long after a builder was killed. A suspended builder may wake up after its lease was
    taken, so every worker checks :func:`holds` before it commits.

    Raises :class:`~schemas.errors.StoreBusyError` if another process is building.
    """
    token = secrets.token_hex(16)
    if isinstance(place, Folder):
        with _hold_lock(place, token):
            yield token
    elif isinstance(place, Remote):
        with _hold_lease(place, token, times):
            yield token
    else:
        raise TypeError(f"{type(place).__name__} has no lock")


def holds(place: Place, token: str) -> bool:
    """Whether the builder with this token is still the current one; false once another one has started."""
    if isinstance(place, Folder):
        return _read(place, TOKEN) == token.encode()
    return _token_of(_read(place, LOCK)) == token


class Fence:
    """Checks during writing that the builder is still the current one."""

    def __init__(self, place: Place, token: str) -> None:
        self._place = place
        self._token = token
        self._checked = -math.inf

    def require(self) -> None:
        """Raise :class:`~schemas.errors.StoreBusyError` if not; asks the place at most once per second."""
        if time.monotonic() - self._checked > 1.0:
            require_held(self._place, self._token)
            self._checked = time.monotonic()


def require_held(place: Place, token: str) -> None:
    """Raise :class:`~schemas.errors.StoreBusyError` if the builder with this token is not the current one."""
    if not holds(place, token):
        raise StoreBusyError(
            f"this build of {place} lost its lock: it was stopped, or another build has started; run the "
            f"command again once no other build is running"
        )


@contextmanager
def _hold_lock(folder: Folder, token: str) -> Iterator[None]:
    with storage_errors(folder.path):
        folder.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.path / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise _busy(folder) from None
    try:
        folder.write(TOKEN, token.encode())
        yield
    finally:
        with suppress(SerError):  # if the disk refuses this too, the next build writes its own token
            folder.delete([TOKEN])
        lock.release()


@contextmanager
def _hold_lease(place: Remote, token: str, times: LeaseTimes) -> Iterator[None]:
    _acquire(place, token, times)
    stop = Event()
    renewal = Thread(target=_renew, args=(place, token, times, stop), daemon=True, name="lease")
    renewal.start()
    try:
        yield
    finally:
        stop.set()
        renewal.join()
        with suppress(SerError):  # if this fails, the next build takes the lease over
            if holds(place, token):
                place.delete([LOCK])


def _acquire(place: Remote, token: str, times: LeaseTimes) -> None:
    mine = _lease(token, 0)
    while not place.create(LOCK, mine):
        time.sleep(times.beat / 50)
        found = _read(place, LOCK)
        if _token_of(found) == token:
            return  # created by an earlier attempt whose response was lost
        if found is None or (current := _watch(place, found, times)) is None:
            continue
        if current != found:
            raise _busy(place)
        place.write(LOCK, mine)
        break
    else:
        if place.promises_creation:
            return
    time.sleep(times.settle)
    if not holds(place, token):
        raise _busy(place)


def _watch(place: Remote, found: bytes, times: LeaseTimes) -> bytes | None:
    """Watch a lease until it changes or its holder has had time to renew it; returns its content then."""
    started = time.monotonic()
    current: bytes | None = found
    while current == found and time.monotonic() - started < times.patience:
        time.sleep(min(times.beat / 2, times.patience / 4))
        current = _read(place, LOCK)
    return current


def _renew(place: Remote, token: str, times: LeaseTimes, stop: Event) -> None:
    beat = 0
    place = place.with_patience(Patience(attempts=1))  # the next beat tries again
    while not stop.wait(times.beat):
        with suppress(SerError):
            if not holds(place, token):
                return
            beat += 1
            place.write(LOCK, _lease(token, beat))


def _lease(token: str, beat: int) -> bytes:
    return json.dumps({"token": token, "beat": beat}).encode()


def _read(place: Place, name: str) -> bytes | None:
    try:
        return place.read(name, _MOST_BYTES)
    except FileNotFoundError:
        return None
    except StoreDamagedError:  # too large for one of ours
        return b""


def _token_of(lease: bytes | None) -> str | None:
    try:
        found = json.loads(lease or b"null")
    except (ValueError, RecursionError):
        return None
    token = found.get("token") if isinstance(found, dict) else None
    return token if isinstance(token, str) else None


def _busy(place: Place) -> StoreBusyError:
    return StoreBusyError(
        f"another process is building {place}; wait until it ends, or stop it, and run this command again"
    )
