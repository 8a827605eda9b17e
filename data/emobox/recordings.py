"""Finds the recordings that EmoBox's lists name: the folder that holds them, and the file of each path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from data.corpus import Corpus
from data.files import holds_audio, suffix_of
from schemas.errors import CorpusNotFoundError
from schemas.names import fold_name, nfc

DOWNLOADS = "downloads"
"""EmoBox's folder of recordings, beside its folder ``data``."""


def find_recordings(
    metadata: Path, dataset: str, known: Corpus | None, corpora_root: Path, folders: Sequence[Path]
) -> Path:
    """The first folder with audio files among: ``metadata`` itself, ``downloads/DATASET`` in EmoBox's folder,
    and the corpus's folder among ``folders``, those of ``corpora_root``.

    Raises :class:`CorpusNotFoundError` if there is none.
    """
    beside = metadata.resolve().parent.parent / DOWNLOADS / dataset
    names = {fold_name(name) for name in (dataset, *(known.folder_names if known else ()))}
    under_root = [folder for folder in folders if fold_name(folder.name) in names]
    for folder in (metadata, beside, *under_root):
        if folder.is_dir() and holds_audio(folder):
            return folder
    raise CorpusNotFoundError(
        f"the recordings of EmoBox's {dataset} are neither in '{metadata}' nor in '{beside}' nor in a folder "
        f"'{dataset}' under '{corpora_root}'; put them into one of these as audio files"
    )


class RecordingFinder:
    """Finds files by the ends of paths, in upper or lower case and whatever their suffix."""

    def __init__(self, wanted: Iterable[str], names: Iterable[tuple[str, str]]) -> None:
        """``wanted``: all paths to look up. ``names``: name or path, and the file that it names."""
        self._count = Counter(tail for path in wanted for tail in _tails(path))
        self._files: dict[str, list[str]] = {}
        for name, path in names:
            for tail in _tails(name):
                files = self._files.setdefault(tail, [])
                if path not in files:
                    files.append(path)

    def find(self, wanted: str) -> tuple[str, ...]:
        """Files whose paths end like ``wanted``; several if its path does not tell them apart.

        The end is as long as it takes to be that of no other wanted path.
        """
        found: list[str] = []
        for tail in _tails(wanted):
            if self._count[tail] > 1:
                continue
            longer = self._files.get(tail, [])
            if not longer:
                break
            found = longer
            if len(found) == 1:
                break
        return tuple(found)


def _tails(path: str) -> Iterator[str]:
    """``c``, ``b/c`` and ``a/b/c`` of ``a/b/c.wav``, in lower case."""
    parts = nfc(path.removesuffix(suffix_of(path)).casefold()).split("/")
    for length in range(1, len(parts) + 1):
        yield "/".join(parts[-length:])
