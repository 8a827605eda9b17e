"""Every container and codec of soundfile: alike from memory and from a file, never cut in silence."""

import io
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines.decode import UnusableRecordingError, decode
from pipelines.recording.sound_file import SoundFile
from pipelines.recording.source import FileSource, MemorySource
from schemas.spec import AudioSpec
from tests.pipelines.recording.encodings import CODECS, RATE, encode, noise

AUDIO = AudioSpec(sample_rate=RATE)
ID3 = b"ID3\3\0\0\0\0\2\0" + bytes(256)

NO_LENGTH = {"PAF", "PVF", "IRCAM", "XI"}
"""Their headers do not tell the length, those of XI if libsndfile wrote them."""

TERMINATOR_TAKEN_FOR_SAMPLE = {("VOC", "ULAW"), ("VOC", "ALAW")}
"""libsndfile reads a byte behind the samples as one more, which would be heard as a click."""


def _read_by_soundfile(path: Path) -> np.ndarray:
    """All samples (n, channels), by soundfile's own file access."""
    with soundfile.SoundFile(path) as file:
        if file.seekable() and not file.subtype.startswith("DWVW"):
            return np.asarray(file.read(dtype="float32", always_2d=True))
        out = np.zeros((file.frames, file.channels), np.float32)
        ctype = soundfile._ffi.cast("float*", out.ctypes.data)
        assert soundfile._snd.sf_readf_float(file._file, ctype, file.frames) == file.frames
        return out


@pytest.mark.parametrize("container", CODECS)
def test_memory_and_file_give_what_soundfile_reads_by_path(container: str, tmp_path: Path) -> None:
    for codec, count in product(CODECS[container], (8000, 8001)):
        path = tmp_path / f"{count}"
        path.write_bytes(data := encode(container, codec, count))
        with SoundFile(MemorySource(data)) as file:
            from_memory = file.read(10 * RATE)
        with path.open("rb") as opened, SoundFile(FileSource(opened)) as file:
            from_file = file.read(10 * RATE)
        assert np.array_equal(from_memory, from_file)
        expected = _read_by_soundfile(path)
        if (container, codec) in TERMINATOR_TAKEN_FOR_SAMPLE:
            assert len(from_memory) == count
            expected = expected[:count]
        assert np.array_equal(from_memory, expected)


@pytest.mark.parametrize("container", CODECS)
def test_a_whole_file_has_no_note_also_behind_a_tag(container: str) -> None:
    for codec in CODECS[container]:
        data = encode(container, codec)
        whole, tagged = decode(data, AUDIO), decode(ID3 + data, AUDIO)
        assert np.array_equal(tagged.samples, whole.samples)
        assert (whole.note, tagged.note) == ("", "")


def _judge(data: bytes) -> tuple[str, str]:
    """The problem and the note of a recording."""
    try:
        return "", decode(data, AUDIO).note
    except UnusableRecordingError as error:
        return str(error), ""


@pytest.mark.parametrize("container", CODECS)
def test_a_cut_file_is_told_in_our_words(container: str) -> None:
    for codec, share in product(CODECS[container], (0.3, 0.6, 0.9)):
        data = encode(container, codec)
        cut = data[: int(share * len(data))]
        problem, note = _judge(cut)
        if not problem:
            assert "truncated" in note or container in NO_LENGTH
            continue
        ours = r"truncated|\d+ samples \(|not readable as audio: the \w+ header is damaged or incomplete"
        assert re.match(ours, problem)
        if container != "OGG" and (found := re.search(r"announces (\d+) bytes.* holds (\d+)", problem)):
            announced, held = map(int, found.groups())
            assert held < announced <= len(data)
            assert held <= len(cut)


@pytest.mark.parametrize("container", ["PAF", "PVF", "IRCAM"])
def test_a_cut_within_a_sample_is_noted(container: str) -> None:
    data = encode(container, "PCM_16")
    assert "ends within a sample (1 of 2 bytes)" in decode(data[:-1], AUDIO).note


@pytest.mark.parametrize("container", CODECS)
def test_nothing_of_a_recording_that_is_too_long_is_read(
    container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SoundFile, "read", lambda *_: pytest.fail("samples were read"))
    for codec in CODECS[container]:
        with pytest.raises(UnusableRecordingError, match=r"s long; the limit is 0\.15 s"):
            decode(encode(container, codec), AudioSpec(sample_rate=RATE, max_duration_s=0.15))


def test_bytes_without_a_known_header_are_named_as_such() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, noise(8000), RATE, format="RAW", subtype="PCM_16")
    with pytest.raises(UnusableRecordingError, match=r"^not readable as audio: no known audio format$"):
        decode(buffer.getvalue(), AUDIO)
