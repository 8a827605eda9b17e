from __future__ import annotations

import pandas as pd

from training.linear.held_out import units_to_hold_out


def clips(**columns: list[str]) -> pd.DataFrame:
    """Four clips of a corpus; ``columns`` replace values."""
    values = {
        "dataset": ["tess"] * 4,
        "speaker": ["tess/a"] * 4,
        "sentence": ["back", "bar", "back", "bath"],
        "audio_sha256": list("1234"),
    }
    return pd.DataFrame({**values, **columns})


def test_speakers_are_held_out_where_there_are_several() -> None:
    found = units_to_hold_out(clips(speaker=["tess/a", "tess/b", "tess/b", "tess/a"]))
    assert (found.names, found.by) == (("tess/a", "tess/b", "tess/b", "tess/a"), "speaker")


def test_sentences_of_a_lone_speaker_are_held_out() -> None:
    found = units_to_hold_out(clips())
    assert (found.names, found.by) == (("tess/back", "tess/bar", "tess/back", "tess/bath"), "sentence")


def test_sentences_with_the_same_recording_are_one() -> None:
    found = units_to_hold_out(clips(audio_sha256=list("1224")))
    assert found.names == ("tess/back", "tess/back", "tess/back", "tess/bath")


def test_unknown_sentences_leave_the_speaker() -> None:
    assert units_to_hold_out(clips(sentence=["back", "", "back", "bath"])).by == "speaker"
