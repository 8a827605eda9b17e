"""A corpora root with a given number of real or synthesised recordings."""

from __future__ import annotations

import os
from pathlib import Path

from data.demo import write_demo
from data.locate import locate


def corpora_of(source: Path | None, datasets: str, clips: int, scratch: Path) -> tuple[Path, list[Path]]:
    """Create a corpus ``bench`` of ``clips`` recordings with one folder per emotion; returns root and files.

    Recordings are taken evenly from the corpora under ``source`` (None: the demo voices). If there are too
    few, they are linked again under other names; the pipeline repeats the work, but the files are cached.
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
