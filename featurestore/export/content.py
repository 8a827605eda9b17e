"""What is exported: clips, views and features of a store, read block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from featurestore.export.columns import find_encoder
from featurestore.sharing.selection import PartSelection
from featurestore.store import FeatureStore
from schemas.clip import Status
from schemas.errors import UnknownNameError, UsageError
from schemas.views import ORIGINAL

_CLIPS_AT_ONCE = 256


@dataclass(frozen=True)
class Block:
    """Some clips in one view, as stored."""

    view: str
    clips: pd.DataFrame
    """Their rows of the manifest."""
    arrays: Mapping[str, npt.NDArray[np.floating]]
    """Feature → (clip, coefficient, frame)."""
    valid_frames: Mapping[str, npt.NDArray[np.int64]]
    """Feature → (clip,)."""


@dataclass(frozen=True)
class Content:
    """The usable clips of some corpora, in some views, with some features and layers."""

    store: FeatureStore
    clips: npt.NDArray[np.int64]
    """Positions in the manifest."""
    left_out: int
    """Clips of these corpora that are marked bad."""
    views: tuple[str, ...]
    features: tuple[str, ...]
    layers: tuple[int, ...] | None

    @classmethod
    def of(cls, store: FeatureStore, selection: PartSelection) -> Content:
        """Choose by names; without views, only the original.

        Raises :class:`UnknownNameError` for a name that the store does not have, :class:`UsageError` for a
        layer, or for layers without an encoder.
        """
        spec, manifest = store.spec, store.manifest
        wanted = manifest["dataset"].isin(selection.datasets_of(store.document)).to_numpy()
        usable = wanted & (manifest["status"] == Status.OK).to_numpy()
        chosen = selection.features or tuple(spec.coefficients)
        features = tuple(name for name in spec.coefficients if name in chosen)
        views = selection.views or (ORIGINAL,)
        for kind, names, known in (
            ("feature", selection.features or (), tuple(spec.coefficients)),
            ("view", views, spec.view_names),
        ):
            if unknown := [name for name in names if name not in known]:
                raise UnknownNameError(f"the store has no {kind} '{unknown[0]}'; it has {', '.join(known)}")
        if selection.layers is not None and not any(find_encoder(spec, name) for name in features):
            raise UsageError("--layers selects layers of encoders, but no feature is of one; leave it out")
        return cls(
            store=store,
            clips=np.flatnonzero(usable),
            left_out=int(wanted.sum() - usable.sum()),
            views=tuple(name for name in spec.view_names if name in views),
            features=features,
            layers=selection.layers,
        )

    def blocks(self) -> Iterator[Block]:
        """All clips and views, up to 256 clips at once; views of a clip follow each other by block."""
        names = self.store.spec.view_names
        encoders = [name for name in self.features if find_encoder(self.store.spec, name)]
        layers = None if self.layers is None else dict.fromkeys(encoders, self.layers)
        for start in range(0, len(self.clips), _CLIPS_AT_ONCE):
            some = self.clips[start : start + _CLIPS_AT_ONCE]
            for view in self.views:
                index = (names.index(view),)
                found = self.store.read(some, index, self.features, layers)
                yield Block(
                    view,
                    self.store.manifest.iloc[some],
                    {name: array[0] for name, array in found.items()},
                    {name: self.store.valid_frames(some, index, name)[0] for name in self.features},
                )


def encoder_layers(content: Content, feature: str) -> Sequence[int] | None:
    """The layers of an encoder's feature that are read; None: all, or the feature is not an encoder's."""
    return content.layers if find_encoder(content.store.spec, feature) else None
