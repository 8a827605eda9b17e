"""The end of Ogg streams."""

import pytest

from pipelines.decode import UnusableRecordingError, decode
from schemas.spec import AudioSpec
from tests.pipelines.recording.encodings import RATE, encode

AUDIO = AudioSpec(sample_rate=RATE)


@pytest.fixture(params=["VORBIS", "OPUS"])
def data(request: pytest.FixtureRequest) -> bytes:
    return encode("OGG", request.param, 10 * RATE)


def test_a_whole_stream_has_no_note(data: bytes) -> None:
    recording = decode(data, AUDIO)
    assert (recording.duration_s, recording.note) == (10, "")
    assert decode(data + bytes(100), AUDIO).note == ""


@pytest.mark.parametrize("share", [0.4, 0.5, 0.75, 0.98])
def test_a_cut_within_a_page_is_truncated(data: bytes, share: float) -> None:
    with pytest.raises(UnusableRecordingError, match=r"truncated: the last page (announces \d+ bytes|has)"):
        decode(data[: int(share * len(data))], AUDIO)


def test_a_cut_between_pages_is_read_with_a_note(data: bytes) -> None:
    recording = decode(data[: data.rindex(b"OggS")], AUDIO)
    assert recording.note == "ends without a last page; it may be truncated"
    assert 5 < recording.duration_s < 10


def test_a_download_that_was_allocated_but_not_filled_is_truncated(data: bytes) -> None:
    unfilled = data[: data.rindex(b"OggS")] + bytes(100_000)
    with pytest.raises(UnusableRecordingError, match="truncated: no page begins in the last"):
        decode(unfilled, AUDIO)
