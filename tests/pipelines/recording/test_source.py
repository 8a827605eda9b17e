"""Sources of bytes: alike from memory and from a file, and bounded."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.decode import UnusableRecordingError, decode
from pipelines.recording import source as sources
from pipelines.recording.cursor import Cursor
from pipelines.recording.source import FileSource, MemorySource, Part, open_recording
from schemas.spec import AudioSpec
from tests.pipelines.recording.encodings import RATE, encode

AUDIO = AudioSpec(sample_rate=RATE)


@given(
    data=st.binary(max_size=60),
    start=st.integers(0, 20),
    patch=st.tuples(st.integers(0, 30), st.binary(max_size=8)),
    offset=st.integers(0, 70),
    count=st.integers(0, 70),
)
def test_a_part_reads_what_a_patched_copy_holds(
    data: bytes, start: int, patch: tuple[int, bytes], offset: int, count: int
) -> None:
    """Oracle: bytes that are copied and changed."""
    start = min(start, len(data))
    copy = bytearray(data[start:])
    at, new = patch
    new = new[: max(0, len(copy) - at)]
    copy[at : at + len(new)] = new
    part = Part(MemorySource(data), start, [(at, new)])
    assert part.read(offset, count) == copy[offset : offset + count]
    assert part.sha256() == hashlib.sha256(copy).hexdigest()


def test_file_and_memory_hash_alike_and_read_alike(tmp_path: Path) -> None:
    data = os.urandom(3 * 2**20 + 17)
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb") as file:
        from_file, from_memory = FileSource(file), MemorySource(memoryview(data))
        assert from_file.sha256() == from_memory.sha256() == hashlib.sha256(data).hexdigest()
        for offset, count in ((0, 10), (2**20, 2**20), (len(data) - 3, 10), (len(data) + 5, 10)):
            assert from_file.read(offset, count) == from_memory.read(offset, count)


def test_a_stream_keeps_an_error_instead_of_raising_it_into_c(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    with (tmp_path / "file").open("rb") as file:
        stream = Cursor(FileSource(file))
        buffer = bytearray(4)
        assert stream.readinto(buffer) == 4
    assert stream.readinto(buffer) == 0
    assert isinstance(stream.failure, OSError)
    assert stream.seek(-99) == 4
    assert stream.seek(0, os.SEEK_END) == 10


def test_an_unreadable_disk_is_no_bad_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encode("WAV", "PCM_16"))
    with path.open("rb") as file:
        source = FileSource(file)
    with pytest.raises(OSError, match="Bad file descriptor"):
        decode(source, AUDIO)


class _Short(MemorySource):
    """Memory that runs out while samples are read."""

    def copy(self, offset: int, to: memoryview) -> int:
        if offset > 4000:
            raise MemoryError
        return super().copy(offset, to)


@pytest.mark.parametrize("container", ["WAV", "AIFF", "FLAC", "OGG", "MP3"])
def test_too_little_memory_is_no_bad_recording(container: str) -> None:
    with pytest.raises(MemoryError):
        decode(_Short(encode(container, None, 10 * RATE)), AUDIO)


def test_only_the_header_of_a_long_recording_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """20 GB of silence behind a header; the file takes no space on disk."""
    size = 20 * 10**9
    head = bytearray(encode("RF64", "PCM_16"))
    at = head.index(b"ds64") + 8
    head[at + 8 : at + 16] = size.to_bytes(8, "little")
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(head[: head.index(b"data") + 8])
        file.truncate(head.index(b"data") + 8 + size)
    read = []
    preadv = os.preadv
    monkeypatch.setattr(sources.os, "preadv", lambda *given: read.append(count := preadv(*given)) or count)
    with open_recording(path) as source:
        assert isinstance(source, FileSource)
        with pytest.raises(UnusableRecordingError, match=r"1\.25e\+06 s long; the limit is 60 s"):
            decode(source, AUDIO)
    assert 0 < sum(read) < 2**20


@pytest.mark.parametrize("size", [2**20, 20 * 10**9])
def test_a_sparse_file_that_is_no_recording_is_not_read(size: int, tmp_path: Path) -> None:
    path = tmp_path / "sparse.wav"
    with path.open("wb") as file:
        file.truncate(size)
    with (
        open_recording(path) as source,
        pytest.raises(UnusableRecordingError, match=r"not readable as audio: .* zeros"),
    ):
        decode(source, AUDIO)


def test_a_file_that_is_written_while_open_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    os.utime(path, (1, 1))
    with path.open("rb") as file:
        source = FileSource(file)
        assert not source.has_changed()
        path.write_bytes(b"behind")
        assert source.has_changed()
