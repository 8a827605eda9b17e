"""The clips, views, features and layers that a reader asks for, checked against what the store has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.errors import UsageError
from schemas.spec import StoreSpec

Positions = Sequence[int] | npt.NDArray[np.integer]
"""Positions in the manifest."""


Layers = Sequence[int] | Mapping[str, Sequence[int]] | None
"""Layers of encoders and imported features: of all that are read, or by feature; None: all stored ones."""


@dataclass(frozen=True)
class SelectedFeature:
    """A feature and which of its layers to read.

    ``layers`` : positions among the stored layers, in the order to read them; (0,) for a feature that has
    none. ``height`` : coefficients of one layer.
    """

    name: str
    layers: tuple[int, ...]
    height: int

    @property
    def coefficients(self) -> int:
        """Coefficients of all selected layers."""
        return len(self.layers) * self.height

    def layer_slices(self) -> Iterator[tuple[int, slice]]:
        """Each layer to read, and its coefficients among those selected."""
        for index, layer in enumerate(self.layers):
            yield layer, slice(index * self.height, (index + 1) * self.height)


def select_features(
    spec: StoreSpec, names: Sequence[str] | None, layers: Layers = None
) -> tuple[SelectedFeature, ...]:
    """The requested features (None: all), with the requested layers of encoders.

    Raises :class:`UsageError` for a feature or layer that the store does not have.
    """
    known, counts = spec.coefficients, spec.layer_counts
    for name in names or ():
        if name not in known:
            raise UsageError(f"the store has no feature '{name}'; it has {', '.join(known)}")
    chosen = tuple(known if names is None else names)
    positions = _layer_positions(spec, chosen, layers)
    return tuple(
        SelectedFeature(name, positions.get(name, tuple(range(counts[name]))), known[name] // counts[name])
        for name in chosen
    )


def _layer_positions(spec: StoreSpec, names: Sequence[str], layers: Layers) -> dict[str, tuple[int, ...]]:
    """Encoder → positions of its requested layers among the stored ones; only those with a request."""
    if layers is None:
        return {}
    stored = {name: layers for name, layers in _stored_layers(spec).items() if name in names}
    wanted = layers if isinstance(layers, Mapping) else dict.fromkeys(stored, layers)
    if not stored:
        raise UsageError(f"layers are of encoders, but {', '.join(names)} have none; leave the layers out")
    out = {}
    for name, numbers in wanted.items():
        if name not in stored:
            raise UsageError(
                f"layers are requested of '{name}', which is not one of the encoders that are read"
            )
        if not numbers or len(set(numbers)) < len(numbers):
            raise UsageError(f"layers {list(numbers)} of {name} must be different, and at least one")
        for number in numbers:
            if number not in stored[name]:
                held = ", ".join(map(str, stored[name]))
                raise UsageError(f"the store has no layer {number} of {name}; it has {held}")
        out[name] = tuple(stored[name].index(number) for number in numbers)
    return out


def _stored_layers(spec: StoreSpec) -> dict[str, tuple[int, ...]]:
    """Feature → its layers, of encoders and of imported features that have several."""
    imported = {one.name: tuple(range(one.layers)) for one in spec.imported if one.layers > 1}
    return imported | {encoder.name: encoder.all_layers for encoder in spec.encoders}


def select_views(spec: StoreSpec, views: Sequence[int]) -> list[int]:
    """The requested view indices. Raises :class:`UsageError` for a view that the store does not have."""
    names = spec.view_names
    for view in views:
        if not 0 <= view < len(names):
            raise UsageError(
                f"the store has no view {view}; it has 0 to {len(names) - 1} ({', '.join(names)})"
            )
    return [int(view) for view in views]


def select_positions(count: int, clips: Positions) -> npt.NDArray[np.int64]:
    """The requested positions among ``count`` clips, (n,) int64. Raises :class:`UsageError`."""
    positions = np.asarray(clips)
    if positions.size == 0:
        return np.empty(0, np.int64)
    if not np.issubdtype(positions.dtype, np.integer):
        raise UsageError(
            f"clips must be integer positions in the manifest, not {positions.dtype}; "
            f"for a boolean condition, give manifest.index[condition]"
        )
    outside = positions[(positions < 0) | (positions >= count)]
    if len(outside):
        raise UsageError(f"clip positions must be between 0 and {count - 1}, got {outside[0]}")
    return positions.astype(np.int64)
