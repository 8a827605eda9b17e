"""Fills in what a request leaves out about encoders: architecture, layers, and the hash of the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.encoders.locate import locate_encoder, locate_weights
from schemas.encoders import EncoderSpec
from schemas.errors import EncoderError
from schemas.features import FeatureSpec
from schemas.spec import StoreSpec


def fill_in_encoders(
    features: Sequence[FeatureSpec], existing: Sequence[FeatureSpec], folders: Mapping[str, Path]
) -> tuple[FeatureSpec, ...]:
    """Features with complete encoders: as in the existing store, or else by the weights on this machine.

    ``folders`` : where the user says that weights are, by name. Raises :class:`EncoderError` for weights that
    are missing, damaged or not supported.
    """
    known = {feature.name: feature for feature in existing if isinstance(feature, EncoderSpec)}
    out: list[FeatureSpec] = []
    for feature in features:
        if isinstance(feature, EncoderSpec) and feature.architecture is None:
            out.append(_fill_in(feature, known.get(feature.name), folders))
        else:
            out.append(feature)
    return tuple(out)


def _fill_in(feature: EncoderSpec, known: EncoderSpec | None, folders: Mapping[str, Path]) -> EncoderSpec:
    if known is not None and feature.name not in folders:
        return feature.complete(known.known_architecture, str(known.sha256))
    weights = locate_encoder(feature.name, folders)
    if feature.sha256 not in (None, weights.sha256):
        raise EncoderError(
            f"the weights in {weights.folder} have the SHA-256 {weights.sha256}, but the recipe asks for "
            f"{feature.sha256}; give the folder of those with --encoder {feature.name}=FOLDER"
        )
    return feature.complete(weights.architecture, weights.sha256)


def encoder_folders(specs: Sequence[StoreSpec], folders: Mapping[str, Path]) -> dict[str, Path]:
    """The folder of the weights of every encoder in ``specs``, which a build is going to compute.

    Raises :class:`EncoderError` if weights are not on this machine.
    """
    encoders = {feature.name: feature for spec in specs for feature in spec.encoders}
    return {name: locate_weights(feature, folders).absolute() for name, feature in encoders.items()}
