"""The coordinates of a store's mel arrays: times of the frames and frequencies of the bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import zarr

from featurestore.read.opening import REPAIR
from featurestore.read.verified_store import VerifiedStore
from featurestore.report.blocks import Doubles
from featurestore.store import FeatureStore
from schemas.errors import StoreDamagedError


@dataclass(frozen=True)
class MelAxes:
    """``seconds``: (frame,) centres of the frames in s. ``hertz``: (band,) centres of the bands in Hz."""

    seconds: Doubles
    hertz: Doubles


def read_mel_axes(store: FeatureStore) -> MelAxes | None:
    """Read the coordinates; None for a store without mel spectrograms or without corpora.

    Raises :class:`StoreDamagedError` if they do not increase, or exceed what the sample rate allows.
    """
    if "mel" not in store.spec.coefficients or not store.document.datasets:
        return None
    name = next(iter(store.document.datasets))
    verified = VerifiedStore(store.objects, store.document)
    most = {"frame": 2.0 * store.spec.length / store.spec.audio.sample_rate, "mel_band": 96_000.0}
    found = {part: _values(store, verified, f"{name}/{part}", limit) for part, limit in most.items()}
    return MelAxes(found["frame"], found["mel_band"])


def _values(store: FeatureStore, verified: VerifiedStore, path: str, most: float) -> Doubles:
    array = zarr.open_array(verified, path=path, mode="r")
    values = np.asarray(array[:], dtype=np.float64)
    if not (
        np.isfinite(values).all() and np.all(np.diff(values) > 0) and 0 <= values[0] <= values[-1] <= most
    ):
        raise StoreDamagedError(
            f"{path} in {store.place} does not increase within 0 to {most:,.4g}; {REPAIR}"
        )
    return values
