"""From the files of a corpus to its scan: the steps that all corpora share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from data.files import ARCHIVE_SUFFIXES, LOSSLESS_SUFFIXES, Tree, suffix_of
from schemas.clip import Clip, Ignored, Scan

_VIDEO = frozenset({".mp4", ".avi", ".flv", ".mov", ".mkv", ".mpg", ".wmv"})


def collect(
    dataset: str,
    root: Path,
    tree: Tree,
    clip_of: Callable[[str], Clip | Ignored],
    *,
    other: Callable[[str], Ignored] | None = None,
    notices: Sequence[str] = (),
) -> Scan:
    """Scan ``tree``: every file becomes a clip or is ignored with a reason.

    ``clip_of`` maps the relative path of an audio file to a clip, ``other`` explains any other file
    (:func:`not_audio` by default). If several files have the same clip id, the one with the fewest path parts
    is kept, then a lossless one rather than a lossy one, then the first by name.
    """
    kept: dict[str, Clip] = {}
    ignored = [*tree.unreadable, *map(other or not_audio, tree.other)]
    for path in sorted(tree.audio, key=_rank):
        found = clip_of(path)
        if isinstance(found, Ignored):
            ignored.append(found)
        elif (first := kept.setdefault(found.clip_id, found)) is not found:
            ignored.append(Ignored(path, f"same clip as {first.path}"))
    if not kept:
        notices = (*notices, _nothing(dataset, tree))
    return Scan(
        dataset=dataset,
        root=root,
        clips=tuple(sorted(kept.values(), key=lambda clip: (clip.speaker, clip.clip_id))),
        ignored=tuple(sorted(ignored, key=lambda item: item.path)),
        notices=tuple(notices),
    )


def not_audio(path: str) -> Ignored:
    """Ignore a file that is not an audio file, with the reason."""
    suffix = suffix_of(path).lower()
    if suffix in ARCHIVE_SUFFIXES:
        return Ignored(path, "an archive; unpack it to use what it holds")
    if suffix in _VIDEO:
        return Ignored(path, "a video file")
    return Ignored(path, "not an audio file")


def _rank(path: str) -> tuple[int, bool, str]:
    lossy = suffix_of(path).lower() not in LOSSLESS_SUFFIXES
    return path.count("/"), lossy, path


def _nothing(dataset: str, tree: Tree) -> str:
    if tree.audio:
        return f"none of the {len(tree.audio)} audio files could be read as a clip of {dataset}"
    if any(suffix_of(path).lower() in ARCHIVE_SUFFIXES for path in tree.other):
        return "there are archives and no audio file: unpack them"
    return "there is no audio file"
