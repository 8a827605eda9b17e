"""Archives that want to write where they should not, or more than they say."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.download.errors import DownloadError
from data.download.safe_name import safe_path
from data.download.unpack import unpack, unpacked_size


def going() -> None:
    """Nobody stops it."""


def archive_of(tmp_path: Path, *members: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for info, data in members:
            zipped.writestr(info, data)
    return path


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    "name",
    [
        "../out.wav",
        "/tmp/out.wav",
        "a/../../out.wav",
        "a\\..\\..\\out.wav",
        "C:/out.wav",
        "a//b.wav",
        "a/./b",
    ],
)
def test_a_name_that_leads_out_stops_the_whole_archive(name: str, tmp_path: Path) -> None:
    archive = archive_of(tmp_path, ("good.wav", b"1"), (name, b"2"))

    with pytest.raises(DownloadError, match="out of the corpus folder"):
        unpack(archive, tmp_path / "in" / "tree", going)

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip"]


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644, stat.S_IFCHR | 0o644])
def test_links_and_devices_are_refused(mode: int, tmp_path: Path) -> None:
    archive = archive_of(tmp_path, ("good.wav", b"1"), (special("bad.wav", mode), b"/etc/passwd"))

    with pytest.raises(DownloadError, match="link or device"):
        unpack(archive, tmp_path / "tree", going)

    assert not (tmp_path / "tree").exists()


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = archive_of(tmp_path, ("a.wav", b"1"), ("a.wav", b"2"))

    with pytest.raises(DownloadError, match="twice"):
        unpack(archive, tmp_path / "tree", going)


def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, ("bomb.wav", bytes(300_000_000)))

    with pytest.raises(DownloadError, match="declares 1 file of 300,000,000 bytes"):
        unpacked_size(archive)
    with pytest.raises(DownloadError, match="nothing was unpacked"):
        unpack(archive, tmp_path / "tree", going)


def test_a_bomb_that_declares_little_writes_no_more_than_that(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, ("bomb.wav", bytes(50_000_000)))
    data = bytearray(archive.read_bytes())
    for signature, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", data, data.index(signature) + at, 1_000)
    archive.write_bytes(data)

    with pytest.raises(DownloadError, match="damaged"):
        unpack(archive, tmp_path / "tree", going)

    assert sum(path.stat().st_size for path in (tmp_path / "tree").rglob("*")) <= 1_000


def test_damaged_bytes_are_told(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, ("a.wav", bytes(range(256)) * 100))
    data = bytearray(archive.read_bytes())
    data[60] ^= 0xFF
    archive.write_bytes(data)

    with pytest.raises(DownloadError, match=r"a.wav in a.zip is damaged"):
        unpack(archive, tmp_path / "tree", going)


def test_encrypted_files_are_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, ("a.wav", b"1"))
    data = bytearray(archive.read_bytes())
    for signature, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(signature) + at] |= 1
    archive.write_bytes(data)

    with pytest.raises(DownloadError, match="encrypted"):
        unpack(archive, tmp_path / "tree", going)


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>")

    with pytest.raises(DownloadError, match="is not a zip file"):
        unpack(tmp_path / "a.zip", tmp_path / "tree", going)


def test_files_are_written_as_they_are(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, ("Actor_01/", b""), ("Actor_01/ä b.wav", b"x" * 10), (".hidden", b""))

    assert unpacked_size(archive) == 10
    assert unpack(archive, tmp_path / "tree", going) == 1

    assert (tmp_path / "tree" / "Actor_01" / "ä b.wav").read_bytes() == b"x" * 10
    assert zipfile.is_zipfile(io.BytesIO(archive.read_bytes()))


@given(st.text(st.sampled_from(list("ab./\\:C \x00")), max_size=12))
def test_a_safe_name_stays_in_its_folder(name: str) -> None:
    try:
        path = PurePosixPath("/corpora/x") / safe_path(name)
    except DownloadError:
        return
    assert ".." not in path.parts
    assert path.is_relative_to("/corpora/x")
    assert path != PurePosixPath("/corpora/x")
