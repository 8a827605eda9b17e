"""What every place must do, whatever it stands on."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from featurestore.places.folder import Folder
from featurestore.places.place import BLOCK_BYTES, Place
from schemas.errors import StoreDamagedError

NAME = "ravdess/mel/c/0/0/0/0"
OTHER = "ravdess/mel/c/0/1/0/0"
DATA = bytes(range(256)) * 41


def test_what_was_written_is_read(place: Place) -> None:
    place.write(NAME, DATA)
    assert place.read(NAME, len(DATA)) == DATA
    assert place.size(NAME) == len(DATA)


def test_an_empty_object_is_an_object(place: Place) -> None:
    place.write("empty", b"")
    assert place.read("empty", 0) == b""
    assert place.size("empty") == 0
    assert list(place.blocks("empty")) == []
    assert place.sizes() == {"empty": 0}


def test_writing_again_replaces(place: Place) -> None:
    place.write(NAME, DATA)
    place.write(NAME, b"short")
    assert place.read(NAME, 5) == b"short"
    assert place.sizes() == {NAME: 5}


@pytest.mark.parametrize("most", [0, 1, len(DATA) - 1])
def test_more_than_can_be_right_is_refused(place: Place, most: int) -> None:
    place.write(NAME, DATA)
    with pytest.raises(StoreDamagedError, match=NAME):
        place.read(NAME, most)


def test_an_absent_object_is_said_to_be_absent(place: Place) -> None:
    place.write(NAME, DATA)
    for absent in ("nothing", "ravdess/nothing", f"{NAME}/below"):
        with pytest.raises(FileNotFoundError):
            place.read(absent, 10)
        with pytest.raises(FileNotFoundError):
            list(place.blocks(absent))
        assert place.size(absent) is None


def test_nothing_stands_in_a_place_that_was_never_written(place: Place) -> None:
    assert place.sizes() == {}
    assert place.sizes("ravdess") == {}
    assert place.size("store.json") is None
    with pytest.raises(FileNotFoundError):
        place.read("store.json", 10)


@pytest.mark.parametrize("start", [0, 1, 5000, len(DATA) - 1, len(DATA)])
def test_reading_begins_where_it_is_asked_to(place: Place, start: int) -> None:
    place.write(NAME, DATA)
    assert b"".join(place.blocks(NAME, start)) == DATA[start:]


def test_large_objects_come_in_bounded_blocks(place: Place) -> None:
    data = DATA * (2 * BLOCK_BYTES // len(DATA) + 7)
    place.write(NAME, data)
    blocks = list(place.blocks(NAME, 3))
    assert max(map(len, blocks)) <= BLOCK_BYTES
    assert b"".join(blocks) == data[3:]


def test_reading_may_stop_early(place: Place) -> None:
    data = DATA * (BLOCK_BYTES // len(DATA) + 9)
    place.write(NAME, data)
    for _ in range(35):  # more than the connections that are kept
        blocks = place.blocks(NAME)
        assert data.startswith(next(blocks))
        blocks.close()  # type: ignore[attr-defined]
    assert place.size(NAME) == len(data)


def test_a_listing_names_all_objects_with_their_sizes(place: Place) -> None:
    written = {NAME: 3, OTHER: 4, "tess/mel/c/0/0/0/0": 5, "store.json": 6, "ravdess/mel/zarr.json": 7}
    for name, size in written.items():
        place.write(name, b"x" * size)
    assert place.sizes() == written
    below = {name: size for name, size in written.items() if name.startswith("ravdess/")}
    assert place.sizes("ravdess") == below
    assert place.sizes("rav") == {}


def test_deleting_takes_away_what_is_there(place: Place) -> None:
    for name in (NAME, OTHER, "store.json"):
        place.write(name, DATA)
    place.delete([NAME, "nothing", "store.json"])
    assert place.sizes() == {OTHER: len(DATA)}
    place.delete([])
    place.delete([NAME])


def test_a_copy_is_an_object_of_its_own(place: Place) -> None:
    place.write(NAME, DATA)
    if not place.copy(NAME, "versions/1/store.json"):
        assert place.size("versions/1/store.json") is None
        pytest.skip("this place cannot copy by itself")
    place.write(NAME, b"other")
    assert place.read("versions/1/store.json", len(DATA)) == DATA
    assert place.sizes() == {NAME: 5, "versions/1/store.json": len(DATA)}


def test_a_copy_replaces_what_was_there(place: Place) -> None:
    place.write(NAME, DATA)
    place.write(OTHER, b"old")
    if place.copy(NAME, OTHER):
        assert place.read(OTHER, len(DATA)) == DATA
        assert place.copy(NAME, OTHER)
        assert place.sizes() == {NAME: len(DATA), OTHER: len(DATA)}
    else:
        assert place.read(OTHER, 3) == b"old"


def test_a_copy_of_nothing_leaves_the_target_as_it_was(place: Place) -> None:
    place.write(OTHER, b"old")
    with suppress(FileNotFoundError):
        assert place.copy("nothing", OTHER) is False
    assert place.sizes() == {OTHER: 3}


def test_a_place_travels_to_another_process(place: Place) -> None:
    place.write(NAME, DATA)
    there = pickle.loads(pickle.dumps(place))
    assert there.read(NAME, len(DATA)) == DATA
    assert str(there) == str(place)


def test_threads_share_a_place(place: Place) -> None:
    def use(number: int) -> bool:
        data = bytes([number]) * (1000 + number)
        place.write(f"part/{number}", data)
        return place.read(f"part/{number}", len(data)) == data

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(use, range(40)))
    assert place.sizes("part") == {f"part/{number}": 1000 + number for number in range(40)}


def test_a_reader_sees_the_old_or_the_new_and_nothing_between(place: Place) -> None:
    old, new = b"o" * 300_000, b"n" * 500_000
    place.write(NAME, old)
    stop = threading.Event()
    seen: set[bytes] = set()

    def watch() -> None:
        while not stop.is_set():
            seen.add(place.read(NAME, len(new)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(10):
        place.write(NAME, new)
        place.write(NAME, old)
    stop.set()
    watcher.join()
    assert seen <= {old, new}
    assert seen


def test_no_partial_file_is_left(place: Place) -> None:
    place.write(NAME, DATA)
    place.copy(NAME, OTHER)
    assert not [name for name in place.sizes() if "partial" in name]
    if isinstance(place, Folder):
        assert not list(place.path.rglob("*partial*"))
