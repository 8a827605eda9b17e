"""Hashes the recordings of a scan; unchanged ones are not read again."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial

from featurestore.plan.known_hashes import KnownHash, KnownHashes, load, save, settled_state
from featurestore.plan.units import SourceClip
from featurestore.progress import Progress
from pipelines.recording.source import FileSource
from schemas.clip import Clip, Scan
from schemas.files.regular_file import open_regular_file

HASHING_THREADS = 4
_STATES_AT_ONCE = 256
"""Files per task of a thread that reads states: on a network file system each state takes a while."""

_TWINS_NAMED = 3

Hashes = Mapping[str, str | None]
"""Path relative to the folder of a corpus → SHA-256, None if the file cannot be read."""

_Sound = tuple[str | None, float | None, float | None]
"""Hash of a recording, start and end of a segment."""

_EMPTY = hashlib.sha256(b"").hexdigest()


def hash_recordings(scan: Scan, progress: Progress, *, trust: bool = True) -> tuple[SourceClip, ...]:
    """The recordings of a scan: :func:`hash_files`, then :func:`source_clips`."""
    return source_clips(scan, hash_files(scan, progress, trust=trust))


def hash_files(scan: Scan, progress: Progress, *, trust: bool = True) -> Hashes:
    """The SHA-256 of the files of a scan.

    A recording that cannot be read has the hash None; decoding reports the reason. Hashes are kept in the
    user's cache (:mod:`featurestore.plan.known_hashes`), and a file whose size, mtime, ctime and inode have
    not changed is not read again; ``trust=False`` reads every file. An unusable cache is not an error.
    """
    root = os.fspath(scan.root)
    paths = [clip.path for clip in scan.clips]
    before = load(scan.root)
    after = {path: before[path] for path in paths if path in before}
    hashes: dict[str, str | None] = dict(_unchanged(root, after)) if trust else {}
    unread = [path for path in dict.fromkeys(paths) if path not in hashes]
    try:
        with progress.task(f"hash {scan.dataset}", len(paths), "clips") as advance:
            clips = Counter(paths)
            advance(sum(clips[path] for path in hashes))
            with closing(_read(root, unread)) as read:
                for path, digest, known in read:
                    hashes[path] = digest
                    if known is not None:
                        after[path] = known
                    advance(clips[path])
    finally:  # a stopped build keeps its hashes too: a large corpus takes minutes
        if after != before:
            save(scan.root, after)
    return hashes


def source_clips(scan: Scan, hashes: Hashes) -> tuple[SourceClip, ...]:
    """The clips of a scan, in its order, with a note on others that have the same sound."""
    notes = _notes(scan.clips, hashes)
    return tuple(
        SourceClip(replace(clip, note=note) if note else clip, scan.root / clip.path, hashes[clip.path])
        for clip, note in zip(scan.clips, notes, strict=True)
    )


def _unchanged(root: str, known: KnownHashes) -> Iterator[tuple[str, str]]:
    """Path and hash of the files whose state has not changed since they were hashed."""
    paths = list(known)
    batches = [paths[first : first + _STATES_AT_ONCE] for first in range(0, len(paths), _STATES_AT_ONCE)]
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        for batch, states in zip(batches, pool.map(partial(_states, root), batches), strict=True):
            for path, state in zip(batch, states, strict=True):
                if state == known[path].state:
                    yield path, known[path].sha256


def _states(root: str, paths: Sequence[str]) -> list[str | None]:
    return [_state(root, path) for path in paths]


def _state(root: str, path: str) -> str | None:
    try:
        status = os.stat(os.path.join(root, path))  # noqa: PTH116, PTH118 making a Path takes longer
    except OSError:
        return None
    return settled_state(status, time.time_ns())


def _read(root: str, paths: Sequence[str]) -> Generator[tuple[str, str | None, KnownHash | None]]:
    """Path, hash and the hash to cache (or None), in the order of ``paths``; stops reading when closed."""
    pool = ThreadPoolExecutor(HASHING_THREADS)
    try:
        yield from pool.map(partial(_hash, root), paths)
    finally:
        pool.shutdown(cancel_futures=True)


def _hash(root: str, path: str) -> tuple[str, str | None, KnownHash | None]:
    started_ns = time.time_ns()
    try:
        with open_regular_file(os.path.join(root, path), sys.maxsize) as file:  # noqa: PTH118 see _state
            # The state before reading: a file that is written meanwhile has another state afterwards.
            state = settled_state(os.fstat(file.fileno()), started_ns)
            digest = FileSource(file).sha256()
    except OSError:
        return path, None, None
    return path, digest, KnownHash(state, digest) if state is not None else None


def _notes(clips: Sequence[Clip], hashes: Hashes) -> Iterator[str]:
    """The clips' notes, each with the names of other clips that have the same sound.

    That is the same bytes, and the same part of them: segments of one recording are no copies of each other.
    """
    twins: dict[_Sound, list[str]] = defaultdict(list)
    for clip in clips:
        twins[hashes[clip.path], clip.start_s, clip.end_s].append(clip.clip_id)
    for clip in clips:
        digest = hashes[clip.path]
        group = [] if digest in {None, _EMPTY} else twins[digest, clip.start_s, clip.end_s]
        named = [other for other in group[: _TWINS_NAMED + 1] if other != clip.clip_id][:_TWINS_NAMED]
        more = f" and {left} more" if (left := len(group) - 1 - _TWINS_NAMED) > 0 else ""
        same = f"same audio as {', '.join(named)}{more}" if named else ""
        yield "; ".join(filter(None, (clip.note, same)))
