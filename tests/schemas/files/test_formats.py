"""The one list of formats, against what libsndfile reads."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import soundfile

from pipelines.decode import decode
from schemas.files.formats import AUDIO_FORMATS, AUDIO_SUFFIXES, CONTAINERS, Unread, conversion, unread_format
from schemas.spec import AudioSpec
from tests.conftest import REPOSITORY
from tests.pipelines.speech import tone

SUBTYPES = {"OGG": "VORBIS", "WVE": "ALAW"}
"""Containers that do not hold 16-bit samples."""


@pytest.mark.parametrize("container", sorted({name for each in AUDIO_FORMATS for name in each.containers}))
def test_every_container_that_is_listed_is_read_from_memory(container: str) -> None:
    file = io.BytesIO()
    subtype = None if container == "MP3" else SUBTYPES.get(container, "PCM_16")
    soundfile.write(file, tone(440, 1.0, 8000), 8000, format=container, subtype=subtype)
    found = decode(file.getvalue(), AudioSpec())
    assert found.container == container
    assert found.quality.peak == pytest.approx(0.5, abs=0.05)


def test_every_container_of_libsndfile_is_listed_but_those_that_seldom_hold_recordings() -> None:
    listed = {name for each in AUDIO_FORMATS for name in each.containers}
    assert set(soundfile.available_formats()) - listed == {"RAW", "SD2", "XI", "MAT4", "MAT5", "HTK"}


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_voice_messages_are_read(subtype: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, tone(440, 1.0, 48_000), 48_000, format="OGG", subtype=subtype)
    assert decode(file.getvalue(), AudioSpec()).duration_s == pytest.approx(1, abs=0.01)
    assert {".ogg", ".oga", ".opus"} <= AUDIO_SUFFIXES


def test_no_suffix_is_both_read_and_unread() -> None:
    assert {suffix for suffix in AUDIO_SUFFIXES if unread_format(suffix)} == set()
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in CONTAINERS)
    assert all(kind.suffixes for kind in Unread)


@pytest.mark.parametrize("suffix", [".m4a", ".AAC", ".webm", ".amr", ".wma", ".mp4", ".3gp", ".mkv"])
def test_what_is_not_read_is_named_in_any_case(suffix: str) -> None:
    kind = unread_format(suffix)
    assert kind is not None
    assert conversion(kind, f"my memo{suffix}").endswith(
        f"convert it to WAV: ffmpeg -i 'my memo{suffix}' 'my memo.wav'"
    )


def test_a_conversion_never_overwrites_the_file() -> None:
    assert conversion(Unread.WAV, "a.wav").endswith("ffmpeg -i a.wav a-converted.wav")
    assert conversion(Unread.AMR, "v1.2/memo").endswith("ffmpeg -i v1.2/memo v1.2/memo.wav")


def test_unknown_suffixes_stay_unknown() -> None:
    assert np.all([unread_format(suffix) is None for suffix in ("", ".txt", ".csv", ".wav")])


def test_the_documentation_lists_every_suffix_that_is_read() -> None:
    page = (REPOSITORY / "docs" / "corpora.md").read_text(encoding="utf-8")
    table = page[page.index("| format | suffixes |") : page.index("The format is detected")]
    assert set(re.findall(r"`(\.\w+)`", table)) == AUDIO_SUFFIXES
