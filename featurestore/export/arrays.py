"""Exports NumPy files: one per clip, view and feature."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path, PurePosixPath

import numpy as np

from featurestore.export.columns import is_pooled
from featurestore.export.content import Content
from featurestore.places.durable import make_folders, sync_folder
from featurestore.progress import Advance
from schemas.errors import StoreDamagedError
from schemas.views import ORIGINAL


def write_arrays(content: Content, out: Path, advance: Advance) -> None:
    """Fill the new folder ``out`` with ``FEATURE/CLIP.npy``, and ``FEATURE/CLIP@VIEW.npy`` for other views.

    An array is (frame, coefficient) as stored, of valid frames alone, or (coefficient,) of a pooled feature.
    A clip without values of an imported feature gets no file.
    ``out`` appears when everything is in it. Raises :class:`StoreDamagedError` for a clip id that leads out
    of the folder.
    """
    make_folders(out.parent)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for block in content.blocks():
            for name, array in block.arrays.items():
                pooled = is_pooled(content.store.spec, name)
                for row, (clip_id, frames) in enumerate(
                    zip(block.clips["clip_id"], block.valid_frames[name].tolist(), strict=True)
                ):
                    if not frames:
                        continue
                    target = partial / name / _inside(clip_id, block.view)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    values = array[row, :, 0] if pooled else array[row, :, :frames].T
                    np.save(target, np.ascontiguousarray(values), allow_pickle=False)
            if block.view == content.views[-1]:
                advance(len(block.clips))
        partial.chmod(0o755)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_folder(out.parent)


def _inside(clip_id: str, view: str) -> PurePosixPath:
    path = PurePosixPath(clip_id)
    if path.is_absolute() or ".." in path.parts or "\0" in clip_id or not path.parts:
        raise StoreDamagedError(f"the store has a clip called {clip_id[:80]!r}, which no file can be called")
    return path.with_name(path.name + ("" if view == ORIGINAL else f"@{view}") + ".npy")
