"""Targets of a regression: the values of dimensions, such as valence and arousal, of every clip. No torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from schemas.errors import RunError
from schemas.labels import Dimension
from training.samples.selection import ImportedValues, Selection
from training.samples.targets import candidates, left_out_notices

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class DimensionTargets:
    """Values of every clip of a manifest, in its order.

    ``values`` (clips, dimensions) float64, NaN in every dimension of a clip that is left out. The counts say
    why clips were left out; each clip is counted once.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    selection: Selection
    unknown: int
    """Clips that lack a value of any of the dimensions."""

    @property
    def kept(self) -> NDArray[np.bool_]:
        """(clips,) bool: which clips have values of all dimensions."""
        return ~np.isnan(self.values[:, 0])

    @property
    def of_clips(self) -> NDArray[np.float64]:
        """What is learnt of each clip: its values."""
        return self.values

    @property
    def notices(self) -> tuple[str, ...]:
        """One sentence per reason why clips were left out."""
        return left_out_notices(
            len(self.values),
            (
                *self.selection.reasons,
                (self.unknown, f"without a value of {' or '.join(self.names)}"),
            ),
        )


def dimension_targets(
    manifest: pd.DataFrame,
    dimensions: Sequence[str],
    where: str | None = None,
    datasets: Collection[str] | None = None,
    imported: ImportedValues | None = None,
) -> DimensionTargets:
    """Values of ``dimensions`` of every clip of ``manifest``.

    Clips that do not match ``where``, clips outside the corpora ``datasets``, clips without values of
    ``imported`` features and clips that lack a value of any of the dimensions are left out. Raises
    :class:`RunError` if no clip is left, :class:`UsageError` if ``where`` is not a valid query.
    """
    selection = Selection.of(manifest, where, datasets, imported)
    values = np.column_stack([_column(manifest, name) for name in dimensions])
    known = np.isfinite(values).all(axis=1)
    kept = selection.met & known
    found = DimensionTargets(
        names=tuple(map(str, dimensions)),
        values=np.where(kept[:, None], values, np.nan),
        selection=selection,
        unknown=int((selection.met & ~known).sum()),
    )
    if not kept.any():
        why = "; ".join(found.notices) or "the store is empty"
        raise RunError(
            f"no clips are left for the dimensions {', '.join(found.names)} ({why}); build a store "
            f"from a table with these columns, or choose others with --set labels.dimensions"
        )
    return found


def dimensions_of(
    manifest: pd.DataFrame, where: str | None = None, datasets: Collection[str] | None = None
) -> tuple[Dimension, ...]:
    """Dimensions of which any clip that a recipe may use has a value, in the manifest's order.

    Raises :class:`RunError` if there is none, :class:`UsageError` if ``where`` is not a valid query.
    """
    clips = candidates(manifest, where, datasets)
    found = tuple(name for name in Dimension if np.isfinite(_column(clips, name)).any())
    if not found:
        raise RunError(
            f"labels.target regression needs clips with values of {', '.join(Dimension)}, but none of the "
            "clips that the recipe trains on has any; build a store from a table with one of these columns"
        )
    return found


def _column(manifest: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Values of a dimension, NaN where unknown: everywhere if the store has no such column."""
    if name not in manifest.columns:
        return np.full(len(manifest), np.nan)
    return manifest[name].to_numpy(dtype=np.float64, na_value=np.nan)
