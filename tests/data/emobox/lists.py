"""Folders in the form in which EmoBox publishes its metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

Listed = tuple[str, str, str]
"""Key, path below ``downloads/NAME`` and label."""

RAVDESS_MAP = {
    "Angry": "Angry",
    "Surprised": "Surprise",
    "Sad": "Sad",
    "Disgust": "Disgust",
    "Happy": "Happy",
    "Calm": "Calm",
    "Neutral": "Neutral",
    "Fearful": "Fear",
}
"""The map that EmoBox publishes for RAVDESS."""


def line_of(dataset: str, listed: Listed) -> str:
    """A line as EmoBox writes it."""
    key, path, label = listed
    return json.dumps(
        {
            "key": f"{dataset}-{key}",
            "dataset": dataset,
            "wav": f"downloads/{dataset}/{path}",
            "type": "raw",
            "sample_rate": 16000,
            "num_frame": 33978.0,
            "task": "category",
            "length": 2.123625,
            "emo": label,
            "channel": 1,
        }
    )


def write_metadata(
    folder: Path,
    folds: Iterable[Mapping[str, Iterable[Listed]]],
    label_map: Mapping[str, str],
    dataset: str | None = None,
) -> Path:
    """Write the lists of folds: part (train, valid, test) → recordings."""
    name = dataset or folder.name
    for number, parts in enumerate(folds, start=1):
        fold = folder / f"fold_{number}"
        fold.mkdir(parents=True)
        for part, listed in parts.items():
            text = "".join(f"{line_of(name, each)}\n" for each in listed)
            (fold / f"{name}_{part}_fold_{number}.jsonl").write_text(text)
            (fold / f"{name}_{part}_fold_{number}.json").write_text("{}")
    (folder / "label_map.json").write_text(json.dumps(label_map, indent=4))
    (folder / "corpus.cfg").write_text(f"[Corpus]\nname = {name}\n")
    return folder


def take_turns(tests: list[list[Listed]]) -> list[dict[str, list[Listed]]]:
    """Folds that test these recordings in turn and train on all others."""
    return [
        {"train": [one for other in tests if other is not test for one in other], "test": test}
        for test in tests
    ]
