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
class Selection:
    """Clips of a manifest that a recipe may use, in its order, and how many it may not.

    ``met`` (clips,) bool. Each other clip is counted once.
    """

    met: NDArray[np.bool_]
    bad: int
    other_corpus: int
    unmet: int
    """Clips that do not meet the recipe's ``where``."""

    @classmethod
    def of(
        cls, manifest: pd.DataFrame, where: str | None = None, datasets: Collection[str] | None = None
    ) -> Self:
        """Select by the query ``where`` and the corpora ``datasets``; None: all.

        Raises :class:`UsageError` if ``where`` is not a valid query.
        """
        of = np.ones(len(manifest), dtype=bool)
        if datasets is not None:
            of = manifest["dataset"].isin(list(datasets)).to_numpy()
        ok = (manifest["status"] == Status.OK).to_numpy()
        usable = of & ok
        met = usable
        if where is not None:
            from training.samples.where import matching_clips  # needs pandas, and predictions do not

            met = usable & matching_clips(manifest, where)
        return cls(
            met=met,
            bad=int((of & ~ok).sum()),
            other_corpus=int((~of).sum()),
            unmet=int((usable & ~met).sum()),
        )
