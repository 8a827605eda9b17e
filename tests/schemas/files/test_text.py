"""Texts are read without their byte order mark, whatever the editor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.files.text import TextError, decode_text

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=st.text(st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"])))
def test_every_marked_text_is_read_as_it_was_written(encoding: str, text: str) -> None:
    assert decode_text(text.encode(encoding)) == text


@pytest.mark.parametrize("data", [b"caf\xe9", b"\xff\xfea", b"\xef\xbb\xbf\xff", b"RIFF\0\0\xff"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(TextError):
        decode_text(data)
