"""Which entry of a source belongs to which clip: by id, by path, or by the file's stem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from featurestore.imports.source import Entry
from schemas.errors import FeatureSourceError
from schemas.names import nfc


class NamedClip(Protocol):
    """What a clip is called."""

    @property
    def clip_id(self) -> str:
        """Unique in a store."""

    @property
    def dataset(self) -> str:
        """Its corpus."""

    @property
    def path(self) -> str:
        """Of its recording, relative to the corpus's folder."""

    @property
    def start_s(self) -> float | None:
        """Start of a segment in its recording."""

    @property
    def end_s(self) -> float | None:
        """End of a segment in its recording."""


@dataclass(frozen=True)
class Matches:
    """``entries`` : clip id → its entry. ``missing`` : ids of usable clips that have none. ``unmatched`` :
    keys of entries that belong to no clip.
    """

    entries: Mapping[str, Entry]
    missing: tuple[str, ...]
    unmatched: tuple[str, ...]


def match_entries(entries: Sequence[Entry], clips: Sequence[NamedClip], usable: Iterable[str]) -> Matches:
    """Find the clip of each entry. An entry is tried as a clip's id, then as a path, then as a stem.
    Segments have their ids alone, because a recording is not its segment.

    Raises :class:`FeatureSourceError` if an entry fits two clips, if two entries name one clip, or if no
    entry fits any clip.
    """
    names = _Names(clips)
    found: dict[str, Entry] = {}
    unmatched = []
    for entry in entries:
        clip_id = names.find(entry.key)
        if clip_id is None:
            unmatched.append(entry.key)
        elif clip_id in found:
            raise FeatureSourceError(
                f"'{found[clip_id].key}' and '{entry.key}' both name the clip {clip_id}; keep one of them"
            )
        else:
            found[clip_id] = entry
    if not found:
        what = "segments by clip id" if _is_segment(clips[0]) else "entries by clip id, path or file name"
        raise FeatureSourceError(
            f"no entry names a clip of the store: the first entry is '{entries[0].key}', the first clip is "
            f"{clips[0].clip_id} ({clips[0].path}); name {what}"
        )
    missing = tuple(clip_id for clip_id in usable if clip_id not in found)
    return Matches(found, missing, tuple(unmatched))


class _Names:
    """The clips of a store under each of their names."""

    def __init__(self, clips: Sequence[NamedClip]) -> None:
        self._ids = {nfc(clip.clip_id): clip.clip_id for clip in clips}
        self._ends: dict[str, list[str]] = {}
        self._stems: dict[str, list[str]] = {}
        for clip in clips:
            path = nfc(clip.path)
            paths = set() if _is_segment(clip) else {path, _bare(path)}
            for end in {nfc(clip.clip_id), *paths, *(f"{clip.dataset}/{each}" for each in paths)}:
                self._ends.setdefault(end, []).append(clip.clip_id)
            for stem in {PurePosixPath(each).name for each in (nfc(clip.clip_id), *map(_bare, paths))}:
                self._stems.setdefault(stem, []).append(clip.clip_id)

    def find(self, key: str) -> str | None:
        """The id of the clip that ``key`` names; None if there is none."""
        name = nfc(key.replace("\\", "/").removeprefix("./").rstrip("/"))
        if name in self._ids:
            return self._ids[name]
        parts = name.split("/")
        for first in range(len(parts)):  # the longest end first: it says most
            end = "/".join(parts[first:])
            for candidate in (end, _bare(end)):
                if found := self._ends.get(candidate, ()):
                    return self._only(found, key)
        for stem in (parts[-1], PurePosixPath(_bare(parts[-1])).name):
            if found := self._stems.get(stem, ()):
                return self._only(found, key)
        return None

    @staticmethod
    def _only(found: Sequence[str], key: str) -> str:
        if len(found) > 1:
            raise FeatureSourceError(
                f"'{key}' fits several clips, such as {found[0]} and {found[1]}; name the clips by their ids"
            )
        return found[0]


def _is_segment(clip: NamedClip) -> bool:
    return clip.start_s is not None or clip.end_s is not None


def _bare(path: str) -> str:
    """A path without the suffix of its file: of up to five letters and digits, as audio files have."""
    head, dot, suffix = path.rpartition(".")
    return head if dot and head and len(suffix) <= 5 and suffix.isalnum() and not suffix.isdigit() else path
