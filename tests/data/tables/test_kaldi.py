"""Kaldi data directories as corpora."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from data.locate import locate
from schemas.errors import CorpusError

Tree = Callable[..., Path]


def _lay(root: Path, **lists: str) -> None:
    for name, text in lists.items():
        (root / name.replace("_", ".")).write_text(text)


def test_the_lists_of_a_directory_give_its_clips(tree: Tree) -> None:
    root = tree("audio/a b.wav", "audio/c.flac")
    _lay(
        root,
        wav_scp="ann-1 audio/a b.wav\nben-1 audio/c.flac\n",
        utt2emo="ann-1 ang\nben-1 stress\n",
        utt2spk="ann-1 ann\nben-1 ben\n",
        spk2gender="ann f\nben m\n",
    )
    ((corpus, found),) = locate(f"calls={root}", root).found
    assert [(c.path, c.speaker, c.gender, c.emotion, c.label) for c in corpus.scan(found).clips] == [
        ("audio/a b.wav", "calls/ann", "female", "angry", "ang"),
        ("audio/c.flac", "calls/ben", "male", "stress", "stress"),
    ]


def test_segments_give_parts_of_recordings(tree: Tree) -> None:
    root = tree("audio/call 1.wav")
    _lay(
        root,
        wav_scp="call-1 audio/call 1.wav\n",
        segments="ann-1 call-1 0.00 1.50\nben-1 call-1 1.5 3.25\nann-2 call-1 3.25 -1\nben-2 call-1 2 1\n",
        utt2emo="ann-1 ang\nben-1 hap\nann-2 sad\nben-2 sad\n",
        utt2spk="ann-1 ann\nben-1 ben\nann-2 ann\nben-2\tben\n",
        spk2gender="ann f\nben m\n",
    )
    ((corpus, found),) = locate(f"calls={root}", root).found
    scan = corpus.scan(found)
    assert [(c.clip_id, c.speaker, c.start_s, c.end_s, c.emotion) for c in scan.clips] == [
        ("calls/audio/call 1#0000000-0001500", "calls/ann", 0.0, 1.5, "angry"),
        ("calls/audio/call 1#0003250-end", "calls/ann", 3.25, None, "sad"),
        ("calls/audio/call 1#0001500-0003250", "calls/ben", 1.5, 3.25, "happy"),
    ]
    (ignored,) = scan.ignored
    assert ignored.reason.startswith("line 4 of segments: the segment ends at 1 s, but it starts at 2 s")


def test_an_utterance_without_an_emotion_is_reported_with_its_line(tree: Tree) -> None:
    root = tree("a.wav", "b.wav")
    _lay(root, wav_scp="x a.wav\ny b.wav\n", utt2emo="x sad\n")
    ((corpus, found),) = locate(f"calls={root}", root).found
    scan = corpus.scan(found)
    assert [clip.speaker for clip in scan.clips] == ["calls/unknown"]
    assert [item.reason for item in scan.ignored] == ["line 2 of wav.scp names no emotion"]


@pytest.mark.parametrize(
    ("lists", "problem"),
    [
        ({"wav_scp": "x sox a.wav -t wav - |\n"}, "line 1 of '.*' is a command, not a path"),
        ({"wav_scp": "x a.wav\n", "segments": "x-1 x 0 1 2\n"}, "line 1 of '.*segments' is not a segment"),
        ({"wav_scp": "x a.wav\n", "segments": "x-1 y 0 1\n"}, "'y', which wav.scp lacks"),
        ({"wav_scp": ""}, "has no rows"),
    ],
)
def test_what_cannot_be_read_is_refused(tree: Tree, lists: dict[str, str], problem: str) -> None:
    root = tree("a.wav")
    _lay(root, utt2emo="x sad\n", **lists)
    with pytest.raises(CorpusError, match=problem):
        locate(f"calls={root}", root)
