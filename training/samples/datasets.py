"""Whether a store holds the corpora that were asked for by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from schemas.errors import UsageError


def require_datasets(existing: Collection[str], names: Sequence[str]) -> None:
    """Raise :class:`UsageError` if any of ``names`` is not among the ``existing`` corpora of a store."""
    absent = [name for name in names if name not in existing]
    if absent:
        raise UsageError(
            f"the store has no corpus {' or '.join(absent)}; choose from {', '.join(sorted(existing))} with "
            "--datasets"
        )
