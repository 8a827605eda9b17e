"""From the files of a corpus to its scan: the steps that all corpora share."""

from __future__ import annotations

import filecmp
from collections.abc import Callable, Sequence
from pathlib import Path

from data.files import Tree, suffix_of, walk
from schemas.clip import Clip, Ignored, Scan
from schemas.errors import CorpusNotFoundError
from schemas.files.formats import (
    ARCHIVE_SUFFIXES,
    FORMAT_NAMES,
    LOSSLESS_SUFFIXES,
    Unread,
    conversion,
    unread_format,
)
from schemas.messages.counts import format_count


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
            ignored.append(Ignored(path, _why_second(root, path, first.path)))
    if not kept:
        notices = (*notices, _nothing(dataset, root, tree))
    return Scan(
        dataset=dataset,
        root=root,
        clips=tuple(sorted(kept.values(), key=lambda clip: (clip.speaker, clip.clip_id))),
        ignored=tuple(sorted(ignored, key=lambda item: item.path)),
        notices=tuple(notices),
    )


def not_audio(path: str) -> Ignored:
    """Ignore a file that is not read as audio, with the reason; if it may hold sound, how to convert it."""
    suffix = suffix_of(path).lower()
    if suffix in ARCHIVE_SUFFIXES:
        return Ignored(path, "an archive; unpack it to use what it holds")
    kind = unread_format(suffix)
    if kind is Unread.VIDEO:
        return Ignored(path, "a video file")
    if kind is not None:
        return Ignored(path, conversion(kind, path.rpartition("/")[2]))
    return Ignored(path, "not an audio file")


def explain_no_audio(root: Path) -> str:
    """What a folder without audio files holds instead, to follow its name: ``contains no audio files``."""
    try:
        others = walk(root).other
    except CorpusNotFoundError:
        others = ()
    for path in others:
        if (kind := unread_format(suffix_of(path))) is not None:
            reason = conversion(kind, path.rpartition("/")[2])
            return f"contains no audio files that are read; {path}: {reason}"
    if any(suffix_of(path).lower() in ARCHIVE_SUFFIXES for path in others):
        return "contains archives and no audio files; unpack them"
    return f"contains no audio files ({FORMAT_NAMES})"


def _why_second(root: Path, path: str, first: str) -> str:
    """Why a second file with the clip id of ``first`` is ignored.

    Names of known corpora identify the clip. Beside each other, files that differ only in the case of their
    letters may be two recordings.
    """
    if path.lower() == first.lower() and not _have_same_bytes(root / path, root / first):
        return f"other audio under the name of {first}, which is used; rename one of them to use both"
    return f"same clip as {first}"


def _have_same_bytes(one: Path, two: Path) -> bool:
    try:
        return filecmp.cmp(one, two, shallow=False)
    except OSError:
        return True  # nothing shows that they differ


def _rank(path: str) -> tuple[int, bool, str]:
    lossy = suffix_of(path).lower() not in LOSSLESS_SUFFIXES
    return path.count("/"), lossy, path


def _nothing(dataset: str, root: Path, tree: Tree) -> str:
    if tree.audio:
        return f"{format_count(len(tree.audio), 'audio file')} found, but no clip of {dataset}"
    return f"the folder {explain_no_audio(root)}"
