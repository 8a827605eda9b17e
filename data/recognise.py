"""Recognises the corpus in a folder by its file names, whatever the folder is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path

from data import cremad, demo, emodb, ravdess, savee, tess
from data.described.corpus import DescribedCorpus
from data.described.description import described_names
from data.files import is_audio, list_visible
from schemas.clip import Clip, Ignored

_SAMPLE = 200


def _read_described(name: str, path: str, root: Path) -> Clip | Ignored:
    """Read as the described corpus; its pattern may include the names of folders."""
    return DescribedCorpus(name).clip_of(f"{root.name}/{path}")


_READERS: Mapping[str, Callable[[str, Path], Clip | Ignored]] = {
    "ravdess": lambda path, _: ravdess.clip_of(path),
    "tess": lambda path, _: tess.clip_of(path),
    "savee": lambda path, root: savee.clip_of(path, root.name),
    "cremad": lambda path, _: cremad.clip_of(path, {}),
    "emodb": lambda path, _: emodb.clip_of(path),
    "demo": lambda path, _: demo.clip_of(path),
} | {name: partial(_read_described, name) for name in described_names()}


def recognise(root: Path) -> str | None:
    """Corpus whose naming most audio files in ``root``, or one folder below, follow; None if there is
    none.
    """
    files = list(islice(_audio_near(root), _SAMPLE))
    for name, read in _READERS.items():
        if files and 2 * sum(isinstance(read(path, root), Clip) for path in files) > len(files):
            return name
    return None


def _audio_near(root: Path) -> Iterator[str]:
    for path in list_visible(root):
        if path.is_dir():
            yield from (f"{path.name}/{inner.name}" for inner in list_visible(path) if is_audio(inner.name))
        elif is_audio(path.name):
            yield path.name
