"""What any corpus may give as the texts of its clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from data.scanning import scan_corpus
from schemas.clip import Clip, Scan
from schemas.errors import CorpusError
from schemas.labels import Emotion, Gender


class Given:
    """A corpus with one clip."""

    name = "given"

    def __init__(self, clip: Clip) -> None:
        self._clip = clip

    def scan(self, root: Path) -> Scan:
        return Scan("given", root, (self._clip,))


@pytest.mark.parametrize("field", ["clip_id", "path", "speaker", "label", "intensity", "sentence", "note"])
def test_half_a_character_is_named(field: str, tmp_path: Path) -> None:
    clip = Clip("given/1", "given", "1.wav", "given/a", Gender.UNKNOWN, Emotion.SAD, "sad", sentence="é😀")
    assert scan_corpus(Given(clip), tmp_path).clips == (clip,)  # type: ignore[arg-type]
    odd = replace(clip, **{field: "given/\udce9"})
    with pytest.raises(CorpusError, match=r"'given' has the text 'given/\\udce9'"):
        scan_corpus(Given(odd), tmp_path)  # type: ignore[arg-type]
