"""Speaker tables as spreadsheets, editors and scripts write them."""

from __future__ import annotations

import unicodedata

import pytest

from data.own_recordings.speakers import Speaker, read_speakers
from schemas.errors import CorpusError
from schemas.labels import Gender

ROWS = [["path", "speaker", "gender"], ["angry/a 1.wav", "Zoë", "F"], ["sad/b;2.wav", "Björn, Jr", "male"]]


def table(separator: str = ",", end: str = "\r\n") -> str:
    quoted = ([f'"{cell}"' if set(cell) & set(",;") else cell for cell in row] for row in ROWS)
    return "".join(separator.join(row) + end for row in quoted)


@pytest.mark.parametrize(
    "data",
    [
        table().encode(),
        table(end="\n").encode("utf-8-sig"),
        table(";").encode("utf-8-sig"),  # Excel: CSV UTF-8, where a comma is the decimal sign
        table("\t").encode("utf-16"),  # Excel: Unicode text
        b"\xfe\xff" + table(";").encode("utf-16-be"),
        table(",").encode("utf-32"),
        b"\xef\xbb\xbfsep=;\r\n" + table(";").encode(),
        (table(";") + ";;\r\n;;\r\n").encode("utf-8-sig"),
        table().replace("path", " Path ").replace("angry/", ".\\angry\\").encode(),
        unicodedata.normalize("NFD", table()).encode(),
    ],
)
def test_a_table_is_read_however_it_was_saved(data: bytes, tmp_path) -> None:
    (tmp_path / "speakers.csv").write_bytes(data)
    found = read_speakers(tmp_path, "speakers.csv")
    assert found.speaker_of("angry/a 1.wav") == Speaker("Zoë", Gender.FEMALE)
    assert found.speaker_of("sad/b;2.wav") == Speaker("Björn, Jr", Gender.MALE)
    assert found.unmatched(["angry/a 1.wav"]) == ["sad/b;2.wav"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (table().encode("cp1252"), r"Windows-1252 \(cp1252\).* save it as 'CSV UTF-8'"),
        (b"PK\x03\x04\x00\xff", "is not a text file"),
        (b"\xff\xfea", "is not valid UTF-16 text"),
        (b"name|speaker\n", "needs the columns 'path' or 'stem', and 'speaker'"),
        (b"", "needs the columns"),
    ],
)
def test_another_file_is_named_for_what_it_is(data: bytes, said: str, tmp_path) -> None:
    (tmp_path / "speakers.csv").write_bytes(data)
    with pytest.raises(CorpusError, match=said):
        read_speakers(tmp_path, "speakers.csv")


def test_a_table_finds_names_of_a_mac(tmp_path) -> None:
    name = unicodedata.normalize("NFD", "sprecher-ü.csv")
    (tmp_path / name).write_text("stem,speaker\nzoë_1,Zoë\n", encoding="utf-8")
    found = read_speakers(tmp_path, unicodedata.normalize("NFC", name))
    assert found.speaker_of(unicodedata.normalize("NFD", "glad/zoë_1.wav")) == Speaker("Zoë")
