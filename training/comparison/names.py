"""Short names of the folders of runs, for reports: they reveal nothing else about the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from training.runs.elsewhere import name_parts
from training.runs.series import SeriesFolder


def name_folders(paths: Sequence[Path]) -> Mapping[Path, str]:
    """The last part of each path, or as many as make the names differ: ``a/runs`` and ``b/runs``.

    A fold of a series has the name of the series too: ``ravdess-kfold/fold-1``. A version that is published
    in a folder has the name of the run, unless two versions of it are among the paths.
    """
    parts = {path: name_parts(path) for path in paths}
    if len({*parts.values()}) < len({path.resolve() for path in paths}):
        parts = {path: path.resolve().parts for path in paths}
    most = max(map(len, parts.values()))
    count = 2 if any(SeriesFolder.is_one(path.resolve().parent) for path in paths) else 1
    while count < most and len({_end(each, count) for each in parts.values()}) < len({*parts.values()}):
        count += 1
    return {path: _end(each, count) for path, each in parts.items()}


def _end(parts: tuple[str, ...], count: int) -> str:
    return "/".join(parts[-count:])
