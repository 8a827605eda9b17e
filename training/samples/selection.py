"""Which clips of a manifest a recipe may use: usable ones of its corpora that match its query. No torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from schemas.clip import Status

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ImportedValues:
    """Which clips of a manifest have values of the imported features ``names``, (clips,) bool."""

    names: tuple[str, ...]
    has_values: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Selection:
    """Clips of a manifest that a recipe may use, in its order, and how many it may not.

    ``met`` (clips,) bool. Each other clip is counted once.
    """

    met: NDArray[np.bool_]
    bad: int
    other_corpus: int
    """Clips of corpora that the recipe does not train on."""
    lacking: int
    """Clips without values of :attr:`imported`."""
    unmet: int
    """Clips that do not meet the recipe's ``where``."""
    imported: tuple[str, ...]
    """Imported features that are read."""

    @property
    def reasons(self) -> tuple[tuple[int, str], ...]:
        """How many clips may not be used, and why."""
        return (
            (self.bad, "marked bad in the store"),
            (self.other_corpus, "from corpora that the recipe does not train on"),
            (self.lacking, f"without values of {' and '.join(self.imported)} in the store"),
            (self.unmet, "excluded by the recipe's where query"),
        )

    @classmethod
    def of(
        cls,
        manifest: pd.DataFrame,
        where: str | None = None,
        datasets: Collection[str] | None = None,
        imported: ImportedValues | None = None,
    ) -> Self:
        """Select by the query ``where``, the corpora ``datasets`` and the values of features; None: all.

        Raises :class:`UsageError` if ``where`` is not a valid query.
        """
        of = np.ones(len(manifest), dtype=bool)
        if datasets is not None:
            of = manifest["dataset"].isin(list(datasets)).to_numpy()
        ok = (manifest["status"] == Status.OK).to_numpy()
        present = of & ok
        usable = present if imported is None else present & imported.has_values
        met = usable
        if where is not None:
            from training.samples.where import matching_clips  # needs pandas, and predictions do not

            met = usable & matching_clips(manifest, where)
        return cls(
            met=met,
            bad=int((of & ~ok).sum()),
            other_corpus=int((~of).sum()),
            lacking=int((present & ~usable).sum()),
            unmet=int((usable & ~met).sum()),
            imported=() if imported is None else imported.names,
        )
