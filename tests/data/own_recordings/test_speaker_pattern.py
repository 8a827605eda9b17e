"""The regular expression of ``corpus.toml``: what it finds, and that it ends."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from data.own_recordings import speaker_pattern
from data.own_recordings.description import read_description
from data.own_recordings.folder import FolderCorpus
from data.own_recordings.speaker_pattern import find_speakers
from schemas.errors import CorpusError

PATHS = [
    "angry/anna_1.wav",
    "\ud800/\x00é\U0001f600.wav",
    "sad/bob-x_2.wav",
    "happy/ünal_3.wav",
    "x.wav",
    "a\nb/carl_1.wav",
    "",
]


@pytest.mark.parametrize(
    "pattern",
    [
        "/(?P<speaker>[a-z]+)[_-]",
        "(?P<speaker>a)?",
        r"^(?P<speaker>\w+)/",
        "(?P<speaker>)",
        "(?i)(?P<speaker>A+N*)",
    ],
)
def test_it_finds_what_re_finds(pattern: str) -> None:
    found = [re.search(pattern, path) for path in PATHS]
    assert find_speakers(pattern, PATHS) == [match and match["speaker"] for match in found]


@pytest.mark.parametrize(
    "pattern",
    ["(?P<speaker>(a|a)*)!", "(?P<speaker>x)?((a?){60})a{60}!"],
)
def test_a_search_that_does_not_end_is_ended(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaker_pattern, "PROCESSOR_SECONDS", 1)
    slow = f"sad/{'a' * 60}.wav"
    with pytest.raises(CorpusError, match="does not end") as caught:
        find_speakers(pattern, ["angry/b.wav", slow, "sad/c.wav"])
    assert pattern in str(caught.value)
    assert slow in str(caught.value)


def test_where_no_process_can_be_started_this_one_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert find_speakers("/(?P<speaker>[a-z]+)", ["angry/anna_1.wav", "sad/bob-x_2.wav"]) == ["anna", "bob"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<speaker>a{99999999999})", "is not a regular expression"),
        ("(?P<speaker>a" + "{1000}" * 30 + ")", "is not a regular expression"),
        ("(?P<speaker>[a-z)", "is not a regular expression"),
        ("(?P<speaker>a)" + "b" * 5_000, "has 5,014 characters, but at most 1,000"),
        ("[a-z]+", "no group named 'speaker'"),
    ],
)
def test_a_pattern_that_cannot_be_is_refused(pattern: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "corpus.toml").write_text(f"speaker = '{pattern}'\n")
    with pytest.raises(CorpusError, match=message) as caught:
        read_description(tmp_path)
    assert len(str(caught.value)) < 400


def test_a_corpus_names_its_pattern_and_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaker_pattern, "PROCESSOR_SECONDS", 1)
    (tmp_path / "angry").mkdir()
    (tmp_path / "angry" / f"{'a' * 60}.wav").write_bytes(b"RIFF")
    (tmp_path / "corpus.toml").write_text("speaker = '(?P<speaker>(a+)+)!'\n")
    with pytest.raises(CorpusError, match=r"speaker = '\(\?P<speaker>\(a\+\)\+\)!' in the path 'angry/aaa"):
        FolderCorpus.open(tmp_path, "mine").scan(tmp_path)
