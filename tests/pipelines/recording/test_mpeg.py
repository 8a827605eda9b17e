"""MP3 that lacks its end."""

import numpy as np
import pytest

from pipelines.decode import decode
from schemas.spec import AudioSpec
from tests.pipelines.recording.encodings import RATE, encode

AUDIO = AudioSpec(sample_rate=RATE)


def test_a_cut_file_is_read_as_far_as_possible_with_a_note() -> None:
    data = encode("MP3", "MPEG_LAYER_III", 10 * RATE)
    cut = data[: len(data) // 2]
    recording = decode(cut, AUDIO)
    assert 3 < recording.duration_s < 7
    assert recording.note.startswith(
        f"truncated: the header announces {len(data)} bytes, the file has {len(cut)}"
    )


def test_tags_at_the_end_are_not_counted() -> None:
    data = encode("MP3", "MPEG_LAYER_III", 10 * RATE)
    ape = b"APETAGEX" + (2000).to_bytes(4, "little") + (32).to_bytes(4, "little") + bytes(16)
    tagged = decode(data + ape + b"TAG" + bytes(125), AUDIO)
    assert tagged.note == ""
    assert np.array_equal(tagged.samples, decode(data, AUDIO).samples)


def test_libmpg123_prints_nothing_about_a_wrong_size(capfd: pytest.CaptureFixture[str]) -> None:
    data = encode("MP3", "MPEG_LAYER_III", 10 * RATE)
    decode(data[: len(data) // 2], AUDIO)
    assert capfd.readouterr() == ("", "")
