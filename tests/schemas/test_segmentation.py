"""How the text of ``--segment`` is read."""

from __future__ import annotations

import pytest

from schemas.errors import UsageError
from schemas.segmentation import SpeechSegments, Windows, parse_segmentation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3,1.5", Windows(3.0, 1.5)),
        ("3", Windows(3.0, 3.0)),
        (" .5 , 2. ", Windows(0.5, 2.0)),
        ("silero", SpeechSegments()),
        ("Silero", SpeechSegments()),
    ],
)
def test_texts_are_read_and_written_back(text: str, expected: Windows | SpeechSegments) -> None:
    assert parse_segmentation(text) == expected
    assert parse_segmentation(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "speech", "3,", ",1", "3,1,1", "-3", "nan", "1e3", "3;1", "3s"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is neither silero nor seconds; give silero, or WINDOW,STEP"):
        parse_segmentation(text)


@pytest.mark.parametrize("text", ["0", "3,0", "0.001", "3601", "3,99999"])
def test_lengths_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is out of range; give 0\.01 to 3,600 s"):
        parse_segmentation(text)
