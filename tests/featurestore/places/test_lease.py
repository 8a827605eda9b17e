"""One builder at a time, in folders and at URLs."""

import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from featurestore.places.choose import place_at
from featurestore.places.folder import Folder
from featurestore.places.lease import LeaseTimes, exclusive, holds
from featurestore.places.names import LOCK, TOKEN
from featurestore.places.place import Place
from featurestore.places.remote import Remote
from schemas.errors import StorageError, StoreBusyError
from tests.featurestore.places.conftest import QUICK
from tests.servers.web import Web

TIMES = LeaseTimes(beat=0.1, patience=2.0, settle=0.25)
"""Patience is long beside a beat: on a busy machine a beat may come late."""

ENDLESS = LeaseTimes(beat=0.1, patience=3600.0, settle=0.25)
"""Whoever has to wait for a lease meets the time limit of the test."""


def test_a_second_builder_is_turned_away(place: Place) -> None:
    with exclusive(place, TIMES) as token:
        assert holds(place, token)
        with pytest.raises(
            StoreBusyError, match=re.escape(f"another process is building {place}; wait until")
        ):
            exclusive(place, ENDLESS).__enter__()
        assert holds(place, token)


def test_nothing_is_left_and_the_next_builder_begins_at_once(place: Place) -> None:
    with exclusive(place, TIMES) as first:
        pass
    with exclusive(place, ENDLESS) as second:
        assert holds(place, second)
        assert not holds(place, first)
    assert not holds(place, second)
    if isinstance(place, Remote):
        assert place.sizes() == {}
    else:
        assert TOKEN not in place.sizes()


def test_the_lock_goes_with_an_error_as_well(place: Place) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(place, TIMES):
        1 / 0  # noqa: B018
    with exclusive(place, TIMES) as token:
        assert holds(place, token)


def test_tokens_differ_and_tell_nothing(place: Place) -> None:
    tokens = set()
    for _ in range(3):
        with exclusive(place, TIMES) as token:
            tokens.add(token)
            for name in place.sizes():
                text = place.read(name, 4096).decode()
                assert re.fullmatch(r'[0-9a-f]*|\{"token": "[0-9a-f]{32}", "beat": \d+\}', text)
    assert len(tokens) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", token) for token in tokens)


@pytest.mark.parametrize("kind", ["s3", "sftp"])
def test_a_lease_that_nobody_renews_is_taken_over(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    place = _remote(kind, request, tmp_path)
    place.write(LOCK, b'{"token": "' + b"0" * 32 + b'", "beat": 7}')
    began = time.monotonic()
    with exclusive(place, TIMES) as token:
        assert time.monotonic() - began >= TIMES.patience
        assert holds(place, token)
        assert not holds(place, "0" * 32)
    assert place.sizes() == {}


@pytest.mark.parametrize(
    "junk", [b"", b"junk", b"[" * 4000, b"\xff" * 9000, b'{"token": 1}', b'"token"'], ids=range(6)
)
def test_a_lock_that_holds_junk_is_taken_over(junk: bytes, tmp_path: Path) -> None:
    place = Remote(f"memory://{tmp_path.name}/store", QUICK)
    place.write(LOCK, junk)
    with exclusive(place, LeaseTimes(beat=0.05, patience=0.2, settle=0.1)) as token:
        assert holds(place, token)


@pytest.mark.parametrize("kind", ["memory", "s3", "sftp", "file"])
def test_of_many_who_begin_at_once_one_builds(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    place = _remote(kind, request, tmp_path)
    assert _builders_at_once(place) == 1


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_of_many_who_find_a_dead_lease_one_builds(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    place = _remote(kind, request, tmp_path)
    place.write(LOCK, b"dead")
    assert _builders_at_once(place) == 1


def _builders_at_once(place: Place) -> int:
    """How many of five who begin at the same time become builders; each builds until all have tried."""
    ready, done = threading.Barrier(5), threading.Barrier(5)

    def build(_: int) -> bool:
        ready.wait()
        try:
            with exclusive(place, TIMES):
                done.wait(20)
                return True
        except StoreBusyError:
            done.wait(20)
            return False

    with ThreadPoolExecutor(5) as threads:
        return sum(threads.map(build, range(5)))


def test_the_lease_is_renewed(tmp_path: Path) -> None:
    place = Remote(f"memory://{tmp_path.name}/store", QUICK)
    with exclusive(place, TIMES):
        seen: set[bytes] = set()
        while len(seen) < 4:
            seen.add(place.read(LOCK, 4096))
            time.sleep(TIMES.beat / 10)


def test_a_builder_that_lost_its_lease_does_not_take_it_back(tmp_path: Path) -> None:
    place = Remote(f"memory://{tmp_path.name}/store", QUICK)
    other = b'{"token": "' + b"1" * 32 + b'", "beat": 0}'
    with exclusive(place, TIMES) as token:
        place.write(LOCK, other)
        time.sleep(5 * TIMES.beat)
        assert place.read(LOCK, 4096) == other
        assert not holds(place, token)
    assert place.read(LOCK, 4096) == other


def test_renewal_survives_a_place_that_fails_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Remote(f"memory://{tmp_path.name}/store", QUICK)
    with exclusive(place, TIMES) as token:
        with pytest.MonkeyPatch.context() as patch:

            def refuse(*args: object) -> None:
                raise StorageError("the network is down")

            patch.setattr(Remote, "write", refuse)
            time.sleep(3 * TIMES.beat)
        before = place.read(LOCK, 4096)
        while place.read(LOCK, 4096) == before:
            time.sleep(TIMES.beat / 10)
        assert holds(place, token)


@pytest.mark.parametrize("step", [-86_400.0, 86_400.0])
def test_a_clock_that_jumps_changes_nothing(
    step: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Remote(f"memory://{tmp_path.name}/store", QUICK)
    real = time.time
    with exclusive(place, TIMES) as token:
        monkeypatch.setattr(time, "time", lambda: real() + step)
        with pytest.raises(StoreBusyError):
            exclusive(place, TIMES).__enter__()
        assert holds(place, token)


def _hold(where: str, held: Any) -> None:
    with exclusive(place_at(where), TIMES) as token:
        held.put(token)
        time.sleep(60)


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_builder_that_is_killed_makes_room(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    where = str(tmp_path / "store") if kind == "folder" else request.getfixturevalue("s3_url")
    context = multiprocessing.get_context("spawn")
    held = context.Queue()
    builder = context.Process(target=_hold, args=(where, held))
    builder.start()
    first = held.get(timeout=60)
    place = place_at(where)
    with pytest.raises(StoreBusyError):
        exclusive(place, TIMES).__enter__()
    assert builder.pid is not None
    os.kill(builder.pid, signal.SIGKILL)
    builder.join()
    assert holds(place, first)
    with exclusive(place, TIMES) as second:
        assert holds(place, second)
        assert not holds(place, first)


def test_a_web_address_cannot_be_built_at(web: Web) -> None:
    with pytest.raises(StorageError, match="are read-only"):
        exclusive(Remote(web.url, QUICK), TIMES).__enter__()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file"):
        exclusive(Folder(tmp_path / "file" / "store"), TIMES).__enter__()


def _remote(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    urls: dict[str, Callable[[], str]] = {
        "memory": lambda: f"memory://{tmp_path.name}/store",
        "s3": lambda: str(request.getfixturevalue("s3_url")),
        "file": lambda: f"file://{tmp_path}/store",
        "sftp": lambda: str(request.getfixturevalue("sftp").url(tmp_path / "store")),
    }
    return Remote(urls[kind](), QUICK)
