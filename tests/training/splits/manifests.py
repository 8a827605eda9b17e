"""Random and well-known manifests to split."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from training.splits.side import SIDES, Side
from training.splits.split import Split

EMOTIONS = ("happy", "sad", "angry")

PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["ravdess", "tess", "savee", "cremad"]),
        st.integers(0, 40),
        st.sampled_from(["female", "male", "unknown"]),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda person: person[:2],
)
"""Corpus, number, gender and count of clips of each speaker."""


def clips_of(people: Iterable[tuple[str, int, str, int]], sentences: int = 0) -> list[dict[str, Any]]:
    """Clips of ``people``, in sentences that are told where there are any."""
    return [
        {
            "speaker": f"{dataset}/{number:02d}",
            "gender": gender,
            "emotion": EMOTIONS[clip % len(EMOTIONS)],
            "sentence": f"s{clip // len(EMOTIONS) % sentences}" if sentences else "",
        }
        for dataset, number, gender, count in people
        for clip in range(count)
    ]


@st.composite
def corpora(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Clips of random people; some are bad, some recordings identical, some corpora tell sentences."""
    clips = clips_of(draw(PEOPLE), draw(st.integers(0, 2)))
    for clip in clips[: draw(st.integers(0, 5))]:
        clip["status"] = "bad"
    for place in draw(st.lists(st.integers(0, len(clips) - 1), max_size=4)):
        clips[place]["audio_sha256"] = "5a" * 32
    return clips


def ravdess(clips: int = 3) -> list[dict[str, Any]]:
    """24 actors, odd ones male."""
    return clips_of([("ravdess", n, "male" if n % 2 else "female", clips) for n in range(1, 25)], 2)


def tess() -> list[dict[str, Any]]:
    """Two women, 20 words in three emotions."""
    return clips_of([("tess", n, "female", 60) for n in range(2)], 20)


def spoken(split: Split, manifest: pd.DataFrame, side: Side, column: str = "speaker") -> set[str]:
    """Values of ``column`` on a side."""
    return set(manifest.set_index("clip_id").loc[list(split.side(side)), column])


def require_sound(split: Split, manifest: pd.DataFrame) -> None:
    """Every usable clip on one side, no side empty, and nobody who is tested on heard otherwise."""
    placed = [clip for side in SIDES for clip in split.side(side)]
    assert sorted(placed) == sorted(manifest.loc[manifest["status"] == "ok", "clip_id"])
    for column in ("speaker", "audio_sha256"):
        sides = {side: spoken(split, manifest, side, column) for side in SIDES}
        assert all(sides.values())
        assert not sides["test"] & (sides["train"] | sides["validation"])
        if column == "audio_sha256" or split.validation_by == "speaker":
            assert not sides["train"] & sides["validation"]
    if split.validation_by == "sentence":
        told = {side: spoken(split, manifest, side, "sentence") for side in ("train", "validation")}
        datasets = {clip.split("/")[0] for clip in placed}
        if len(datasets) == 1:
            assert not told["train"] & told["validation"]


def cannot_be_shared(usable: pd.DataFrame) -> bool:
    """Whether somebody has no two different recordings of any emotion, to train and validate alone."""
    recordings = usable.groupby(["speaker", "emotion"])["audio_sha256"].nunique()
    return bool(recordings.groupby("speaker").max().min() < 2)
