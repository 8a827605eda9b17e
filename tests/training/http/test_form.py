"""Forms as httpx writes them, in pieces of any size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.http import body
from training.http.form import BadFormError, Upload, UploadPausedError, read_file, read_files
from training.http.protocol import Message, Receive


def encoded(files: list[tuple[str, tuple[str, bytes]]], data: dict[str, str]) -> tuple[str, bytes]:
    request = httpx.Request("POST", "http://x/", files=files, data=data)
    return request.headers["content-type"], request.read()


def read(content_type: str, body: bytes, piece: int = 1000, limit: int = 10**6) -> Upload:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), piece):
            yield body[start : start + piece]

    return asyncio.run(read_file(content_type, pieces(), limit))


@settings(max_examples=60)
@given(content=st.binary(max_size=300), piece=st.integers(1, 80), field=st.text("ab", max_size=5))
def test_the_file_of_a_form_arrives_whole_in_pieces_of_any_size(
    content: bytes, piece: int, field: str
) -> None:
    form = encoded([("files", ("a b.wav", content))], {"field": field})
    assert read(*form, piece=piece) == Upload("a b.wav", content)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\clips\\a.wav", "a.wav"),
        ("Zoë 😀.wav", "Zoë 😀.wav"),
        ("a" * 500, "a" * 120),
    ],
)
def test_a_name_is_shown_without_folders(sent: str, shown: str) -> None:
    assert read(*encoded([("files", (sent, b"x"))], {})).name == shown


def test_a_file_beyond_the_limit_ends_the_reading_at_once() -> None:
    content_type, body = encoded([("files", ("a", bytes(5000)))], {})
    read_so_far = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal read_so_far
        for start in range(0, len(body), 100):
            read_so_far += 100
            yield body[start : start + 100]

    with pytest.raises(OverflowError):
        asyncio.run(read_file(content_type, pieces(), 1000))
    assert read_so_far < 1500


def test_what_is_no_form_with_one_file_is_refused() -> None:
    two = [("files", ("a", b"1")), ("files", ("b", b"2"))]
    content_type, body = encoded(two[:1], {})
    for kind, content, sentence in (
        (*encoded(two, {}), "one recording at a time"),
        (*encoded([], {"a": "b"}), "multipart/form-data"),
        ("application/json", b"{}", "multipart/form-data"),
        (content_type, body[:-20], "no file"),
        (content_type, b"nothing of the kind", "malformed"),
        (f"multipart/form-data; boundary={'x' * 300}", b"--x", "malformed"),
    ):
        with pytest.raises(BadFormError, match=sentence):
            read(kind, content)


def test_a_form_of_many_tiny_parts_is_refused_before_it_is_parsed_to_its_end() -> None:
    content_type, body = encoded([("files", ("a", b"1"))], {f"field-{n}": "" for n in range(1000)})
    arrived = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal arrived
        for start in range(0, len(body), 1000):
            arrived += 1000
            yield body[start : start + 1000]

    with pytest.raises(BadFormError, match="too many parts"):
        asyncio.run(read_file(content_type, pieces(), 10**6))
    assert arrived < 5000
    assert read(*encoded([("files", ("a", b"1"))], {f"field-{n}": "" for n in range(16)})).content == b"1"


def test_several_files_come_in_order_and_no_more_than_allowed() -> None:
    kind, body = encoded(
        [("files", ("a", b"1")), ("other", ("b", b"22")), ("files", ("a", b"3"))], {"x": "y"}
    )

    async def whole() -> AsyncIterator[bytes]:
        yield body

    found = asyncio.run(read_files(kind, whole(), 2, most=3))
    assert found == (Upload("a", b"1"), Upload("b", b"22"), Upload("a", b"3"))
    with pytest.raises(BadFormError, match="at most 2 recordings at a time"):
        asyncio.run(read_files(kind, whole(), 2, most=2))
    with pytest.raises(OverflowError):  # the limit is that of each file
        asyncio.run(read_files(kind, whole(), 1, most=3))


def test_an_upload_that_pauses_is_distinguished_from_one_that_breaks_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body, "PAUSE_S", 0.01)

    async def pause() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def leave() -> Message:
        return {"type": "http.disconnect"}

    async def first(receive: Receive) -> bytes:
        return await anext(body.body_parts(receive, 10))

    with pytest.raises(UploadPausedError):
        asyncio.run(first(pause))
    with pytest.raises(BadFormError, match="broke off"):
        asyncio.run(first(leave))
