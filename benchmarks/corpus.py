"""A corpora root with a chosen number of real recordings, or of synthesised ones."""

from __future__ import annotations

import os
from pathlib import Path

from data.demo import write_demo
from data.locate import locate


def corpora_of(source: Path | None, datasets: str, clips: int, scratch: Path) -> tuple[Path, list[Path]]:
    """Folder with a corpus ``bench`` of ``clips`` recordings, one folder an emotion, and its files.

    They are spread evenly over the corpora under ``source`` (None: the demo voices), and linked again under
    other names where there are fewer: then the pipeline's work is repeated, and the files are cached.
    """
    if source is None:
        source, datasets = scratch / "demo", "demo"
        write_demo(source)
    recordings = [
        (str(clip.emotion), path / clip.path)
        for corpus, path in locate(datasets, source).found
        for clip in corpus.scan(path).clips
    ]
    count = min(clips, len(recordings))
    chosen = [recordings[number * len(recordings) // count] for number in range(count)]
    root = scratch / f"corpora-{clips}"
    files = []
    for number in range(clips):
        emotion, file = chosen[number % len(chosen)]
        target = root / "bench" / emotion / f"s{number % 24:02}_{number:06}{file.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, target) if _same_device(file, target.parent) else target.write_bytes(file.read_bytes())
        files.append(target)
    return root, files


def _same_device(file: Path, folder: Path) -> bool:
    return file.stat().st_dev == folder.stat().st_dev
