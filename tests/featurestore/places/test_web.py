"""Web servers: with and without ranges, and such as lie."""

import gzip
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from featurestore.places.place import BLOCK_BYTES
from featurestore.places.remote import Remote
from schemas.errors import StorageError, StoreDamagedError
from tests.featurestore.places.conftest import QUICK
from tests.servers.web import Web

DATA = bytes(range(256)) * 40_000
MiB = 2**20


@pytest.fixture(params=[True, False], ids=["ranges", "no-ranges"])
def served(request: pytest.FixtureRequest, web: Web) -> Remote:
    web.ranges = request.param
    (web.root / "stores" / "one" / "ravdess").mkdir(parents=True)
    (web.root / "stores" / "one" / "ravdess" / "large").write_bytes(DATA)
    (web.root / "stores" / "one" / "empty").write_bytes(b"")
    return Remote(f"{web.url}/stores/one", QUICK)


def test_objects_are_read(served: Remote) -> None:
    assert served.read("ravdess/large", len(DATA)) == DATA
    assert served.size("ravdess/large") == len(DATA)
    assert served.read("empty", 0) == b""
    assert served.size("empty") == 0
    with pytest.raises(StoreDamagedError):
        served.read("ravdess/large", len(DATA) - 1)


@pytest.mark.parametrize("start", [0, 1, BLOCK_BYTES + 3, len(DATA) - 1, len(DATA)])
def test_reading_begins_where_it_is_asked_to(served: Remote, start: int) -> None:
    blocks = list(served.blocks("ravdess/large", start))
    assert b"".join(blocks) == DATA[start:]
    assert all(len(block) <= BLOCK_BYTES for block in blocks)


def test_a_range_is_asked_for(served: Remote, web: Web) -> None:
    list(served.blocks("ravdess/large", 77))
    assert web.requests[-1] == ("GET", "/stores/one/ravdess/large", "bytes=77-")


def test_an_absent_object_is_said_to_be_absent(served: Remote) -> None:
    for absent in ("nothing", "ravdess", "ravdess/large/below"):
        with pytest.raises(FileNotFoundError):
            served.read(absent, 10)
        with pytest.raises(FileNotFoundError):
            list(served.blocks(absent, 5))
        assert served.size(absent) is None


def test_names_are_quoted(served: Remote, web: Web) -> None:
    (web.root / "stores" / "one" / "a b#c?d%20é").write_bytes(b"odd")
    assert served.read("a b#c?d%20é", 3) == b"odd"


@pytest.mark.parametrize(
    "change",
    [
        lambda place: place.write("new", b"x"),
        lambda place: place.delete(["empty"]),
        lambda place: place.create("new", b"x"),
    ],
    ids=["write", "delete", "create"],
)
def test_the_web_is_read_only(change: Callable[[Remote], object], served: Remote, web: Web) -> None:
    with pytest.raises(StorageError, match="are read-only"):
        change(served)
    assert served.copy("empty", "new") is False
    assert {method for method, _, _ in web.requests} <= {"GET", "HEAD"}


def test_the_web_has_no_listing(served: Remote) -> None:
    with pytest.raises(StorageError, match=r"cannot list .*cannot list files"):
        served.sizes()


def _endless(handler: Any) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    while handler.command == "GET":
        handler.wfile.write(b"\0" * 2**16)


def _endless_chunks(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while handler.command == "GET":
        handler.wfile.write(b"10000\r\n" + b"\0" * 2**16 + b"\r\n")


def _claims_a_terabyte(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(2**40))
    handler.end_headers()
    while handler.command == "GET":
        handler.wfile.write(b"\0" * 2**16)


BOMB = gzip.compress(bytes(64 * MiB))


def _bomb(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(BOMB)))
    handler.end_headers()
    if handler.command == "GET":
        handler.wfile.write(BOMB)


@pytest.mark.parametrize("answer", [_endless, _endless_chunks, _claims_a_terabyte])
def test_no_more_is_taken_than_can_be_right(answer: Callable[[Any], None], web: Web) -> None:
    web.special["/object"] = answer
    place = Remote(web.url, QUICK)
    tracemalloc.start()
    with pytest.raises(StoreDamagedError, match="2,000,000"):
        place.read("object", 2_000_000)
    assert tracemalloc.get_traced_memory()[1] < 32 * MiB
    blocks = place.blocks("object")
    assert len(next(blocks)) <= BLOCK_BYTES
    blocks.close()  # type: ignore[attr-defined]
    assert tracemalloc.get_traced_memory()[1] < 32 * MiB
    tracemalloc.stop()


def test_what_is_announced_as_too_large_is_not_waited_for(web: Web) -> None:
    refused = threading.Event()

    def announce(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(2**40))
        handler.end_headers()
        handler.wfile.flush()
        refused.wait()
        handler.close_connection = True

    web.special["/object"] = announce
    try:
        with pytest.raises(StoreDamagedError, match="2,000,000"):
            Remote(web.url, QUICK).read("object", 2_000_000)
    finally:
        refused.set()


def test_a_compressed_answer_is_not_blown_up(web: Web) -> None:
    web.special["/object"] = _bomb
    place = Remote(web.url, QUICK)
    tracemalloc.start()
    with pytest.raises(StoreDamagedError, match="2,000,000"):
        place.read("object", 2_000_000)
    assert tracemalloc.get_traced_memory()[1] < 32 * MiB
    tracemalloc.stop()


def test_no_compressed_answer_is_asked_for(web: Web) -> None:
    accepted = []

    def note(handler: Any) -> None:
        accepted.append(handler.headers["Accept-Encoding"])
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    web.special["/object"] = note
    place = Remote(web.url, QUICK)
    place.read("object", 1)
    list(place.blocks("object", 5))
    place.size("object")
    assert accepted == ["identity"] * 3


def test_a_size_that_is_not_told_is_no_size(web: Web) -> None:
    web.special["/object"] = _endless
    with pytest.raises(StorageError, match="does not report its size"):
        Remote(web.url, QUICK).size("object")


def test_another_range_than_asked_for_is_refused(web: Web) -> None:
    def lie(handler: Any) -> None:
        handler.send_response(206)
        handler.send_header("Content-Range", "bytes 0-9/20")
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"0123456789")

    web.special["/object"] = lie
    with pytest.raises(StorageError, match="bytes from 10 on but sends 'bytes 0-9/20'"):
        list(Remote(web.url, QUICK).blocks("object", 10))


def test_a_server_without_head_still_tells_the_size(web: Web) -> None:
    def no_head(handler: Any) -> None:
        handler.send_response(405 if handler.command == "HEAD" else 200)
        handler.send_header("Content-Length", "0" if handler.command == "HEAD" else "5")
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(b"right")

    web.special["/object"] = no_head
    assert Remote(web.url, QUICK).size("object") == 5


def test_redirects_are_followed(web: Web) -> None:
    (web.root / "there").write_bytes(b"found")

    def redirect(handler: Any) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/there")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    web.special["/object"] = redirect
    assert Remote(web.url, QUICK).read("object", 10) == b"found"
