"""Uploads are kept in memory, under names that cannot be guessed, and forgotten."""

from __future__ import annotations

import re

import pytest

from training.http.form import Upload
from training.web.uploads import TOKEN, NoRoomError, UploadGoneError, Uploads


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_upload_is_gone_when_it_is_answered_and_when_answering_failed() -> None:
    uploads = Uploads(1000)
    token = uploads.keep(Upload("a", b"1"))
    with uploads.take(token) as found:
        assert found == Upload("a", b"1")
    assert len(uploads) == 0
    with pytest.raises(UploadGoneError, match="send it again"):
        uploads.get(token)
    other = uploads.keep(Upload("b", b"2"))
    with pytest.raises(ZeroDivisionError), uploads.take(other):
        raise ZeroDivisionError
    assert len(uploads) == 0


def test_equal_uploads_of_two_users_have_names_of_their_own() -> None:
    uploads = Uploads(1000)
    names = {uploads.keep(Upload("a", b"the same")) for _ in range(50)}
    assert len(names) == 50
    assert all(re.fullmatch(TOKEN, name) for name in names)
    with uploads.take(names.pop()):
        pass
    assert len(uploads) == 49


def test_what_nobody_asks_about_is_forgotten() -> None:
    clock = Clock()
    uploads = Uploads(1000, kept_s=60, clock=clock)
    early = uploads.keep(Upload("early", b"1"))
    clock.now += 40
    late = uploads.keep(Upload("late", b"2"))
    clock.now += 21
    uploads.sweep()
    assert len(uploads) == 1
    assert uploads.get(late).name == "late"
    clock.now += 60
    for token in (early, late):
        with pytest.raises(UploadGoneError):
            uploads.get(token)


def test_uploads_take_no_more_memory_than_they_may() -> None:
    clock = Clock()
    uploads = Uploads(100, kept_s=60, clock=clock)
    with uploads.receive(60) as arrived:
        arrived(60)
        with pytest.raises(NoRoomError, match="try again"), uploads.receive(41):
            pass
        with uploads.receive(40) as other:
            other(40)
            with pytest.raises(NoRoomError):
                arrived(1)
        uploads.keep(Upload("a", bytes(60)))
    with pytest.raises(NoRoomError), uploads.receive(41):
        pass
    clock.now += 61
    with uploads.receive(100):
        pass


def test_an_announced_upload_keeps_nobody_out_before_it_arrives() -> None:
    uploads = Uploads(100)
    with uploads.receive(100), uploads.receive(100) as arrived:
        arrived(70)
        with pytest.raises(NoRoomError), uploads.receive(40):
            pass
    with uploads.receive(100):
        pass
