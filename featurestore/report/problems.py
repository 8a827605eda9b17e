"""All clips with a problem or a note; the page shows some and counts the rest."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from schemas.clip import Remark, Status


@dataclass(frozen=True)
class Problems:
    """``bad`` clips are excluded from training; ``noted`` clips are usable. Both are in manifest order."""

    bad: tuple[Remark, ...]
    noted: tuple[Remark, ...]


def find_problems(manifest: pd.DataFrame) -> Problems:
    """Find every clip whose status is not ok, and every usable clip with a note."""
    bad = manifest["status"] != Status.OK
    return Problems(_remarks(manifest[bad]), _remarks(manifest[~bad & (manifest["problem"] != "")]))


def _remarks(clips: pd.DataFrame) -> tuple[Remark, ...]:
    columns = (clips[name].astype(str).tolist() for name in ("clip_id", "path", "problem"))
    return tuple(Remark(*values) for values in zip(*columns, strict=True))
