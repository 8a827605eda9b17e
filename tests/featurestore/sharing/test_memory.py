"""What a transfer takes of memory."""

import os
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from featurestore.format.documents import StoredObject
from featurestore.places.folder import Folder
from featurestore.sharing.hashed import read_hashed
from featurestore.sharing.moving import Budget
from schemas.errors import StoreDamagedError


def test_a_large_object_is_held_once(tmp_path: Path) -> None:
    size = 64 * 2**20
    (tmp_path / "x").write_bytes(os.urandom(2**20) * 64)
    place = Folder(tmp_path)
    entry = StoredObject.at(place, "x")
    tracemalloc.start()
    try:
        data = read_hashed(place, "x", entry)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(data) == size
    assert peak < 1.3 * size


def test_an_object_that_is_longer_than_it_should_be_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(64 * 2**20))
    tracemalloc.start()
    try:
        with pytest.raises(StoreDamagedError, match=r"does not match its store\.json"):
            read_hashed(Folder(tmp_path), "x", StoredObject.of(b"short"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20


def test_objects_in_memory_are_bounded_together() -> None:
    budget, held, most = Budget(100), 0, 0
    lock = threading.Lock()

    def hold(count: int) -> None:
        nonlocal held, most
        with budget.hold(count):
            with lock:
                held += count
                most = max(most, held)
            time.sleep(0.01)
            with lock:
                held -= count

    threads = [threading.Thread(target=hold, args=(count,)) for count in [40, 60, 30, 70, 99, 5, 100] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 60 < most <= 100
    with budget.hold(1_000):  # alone, rather than never
        pass
