"""Folders that ``--out`` may not name: results of a command never go into a run or a store."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import UsageError


def require_no_run(output: Path | None) -> None:
    """Raise :class:`UsageError` if a result would go into the folder of a run or into a store."""
    from featurestore.format.outside import require_outside

    if output is not None:
        require_outside(output, "--out")
    for name in ("run.json", "series.json", "matrix.json"):
        if output is not None and (output / name).exists():
            raise UsageError(f"--out {output} is the folder of a training run; choose another folder")
