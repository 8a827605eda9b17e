"""Coordinates of a corpus's arrays: what the positions along their dimensions stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from schemas.encoders import EncoderSpec
from schemas.features import MelSpec
from schemas.imported import ImportedSpec
from schemas.opensmile import OpenSmileSpec
from schemas.spec import StoreSpec

Attributes = Mapping[str, str | Sequence[int]]


@dataclass(frozen=True)
class Coordinate:
    """``size`` values along a dimension, stored as one chunk of ``dtype`` (float64, int64 or int8).

    A coordinate with the name of its dimension labels it; any other adds to it. The values are those of
    :func:`featurestore.format.coordinate_values.coordinate_values`.
    """

    name: str
    dimension: str
    size: int
    dtype: str
    attributes: Attributes

    @property
    def bytes(self) -> int:
        """Size of its only chunk, decoded."""
        return self.size * np.dtype(self.dtype).itemsize


def coordinates(spec: StoreSpec) -> tuple[Coordinate, ...]:
    """The coordinates of every corpus of a store with ``spec``.

    ``frame`` : centres of the frames in s. ``mel_band`` : centres of the bands in Hz. Of an encoder:
    ``NAME_layer`` of each row, and ``NAME_statistic`` of each row if pooled, else ``NAME_frame`` in s.
    """
    out = [_label("frame", spec.frames, "s")]
    for feature in spec.features:
        if isinstance(feature, MelSpec):
            out.append(_label("mel_band", feature.n_mels, "Hz"))
        elif isinstance(feature, EncoderSpec):
            out.extend(_of_encoder(feature, spec.shapes[feature.name][1]))
    return tuple(out)


def row_coordinates(feature: EncoderSpec) -> tuple[str, ...]:
    """Names of the coordinates that describe the rows of an encoder's array."""
    layer, statistic = f"{feature.name}_layer", f"{feature.name}_statistic"
    return (layer, statistic) if feature.statistics else (layer,)


def row_dimension(feature: EncoderSpec | ImportedSpec | OpenSmileSpec) -> str:
    """Name of the dimension of the rows of an encoder or an imported feature."""
    return f"{feature.name}_value"


def frame_dimension(feature: EncoderSpec | ImportedSpec | OpenSmileSpec) -> str:
    """Name of the dimension of the frames of an encoder or an imported feature."""
    return f"{feature.name}_frame"


def _label(name: str, size: int, units: str) -> Coordinate:
    return Coordinate(name, name, size, "float64", {"units": units})


def _of_encoder(feature: EncoderSpec, frames: int) -> Iterator[Coordinate]:
    rows, names = row_dimension(feature), row_coordinates(feature)
    yield Coordinate(names[0], rows, feature.coefficients, "int64", {"long_name": "hidden state"})
    if feature.statistics:
        attributes: Attributes = {
            "long_name": "statistic over the frames",
            "flag_values": [*range(len(feature.statistics))],
            "flag_meanings": " ".join(feature.statistics),
        }
        yield Coordinate(names[1], rows, feature.coefficients, "int8", attributes)
    else:
        yield _label(frame_dimension(feature), frames, "s")
