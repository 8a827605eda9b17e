"""Names of the pictures of ``ser-predict --explain``."""

from __future__ import annotations

from pathlib import Path

from training.cli.explain import plan_pictures


def test_no_two_recordings_have_the_same_picture(tmp_path: Path) -> None:
    names = ["x/a.wav", "y/a.wav", "z/a-2.wav", "a.flac", "-"]
    assert [path.name for path in plan_pictures(names, tmp_path)] == [
        "a-explained.png",
        "a-2-explained.png",
        "a-2-2-explained.png",
        "a-3-explained.png",
        "standard-input-explained.png",
    ]
