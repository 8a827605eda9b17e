"""Finds weights on this machine: in the folder of models, in Hugging Face's cache, or where the user says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs

from pipelines.encoders.weights import EncoderWeights, find_weights
from schemas.encoders import EncoderSpec
from schemas.errors import EncoderError, MissingWeightsError
from schemas.known_encoders import KNOWN_ENCODERS

MODELS_VARIABLE = "SER_MODELS"


def models_folder() -> Path:
    """Folder with one folder of weights per encoder: ``$SER_MODELS``, or the user's data folder."""
    chosen = os.environ.get(MODELS_VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("ser-features")) / "encoders"


def locate_encoder(name: str, folders: Mapping[str, Path]) -> EncoderWeights:
    """The weights of an encoder by its name. ``folders`` : those that the user gave, by name.

    Raises :class:`EncoderError` if there are none, or they are damaged or not supported.
    """
    if name in folders:
        return find_weights(folders[name])
    for folder in _folders_of(name):
        if folder.is_dir():
            return find_weights(folder)
    raise _missing(name)


def locate_weights(feature: EncoderSpec, folders: Mapping[str, Path]) -> Path:
    """The folder of exactly the weights that a feature was computed with, found by their hash.

    Raises :class:`EncoderError` if they are not on this machine.
    """
    if feature.name in folders:
        return folders[feature.name]  # its hash is checked when it is loaded
    here = models_folder()
    others = sorted(folder for folder in here.iterdir() if folder.is_dir()) if here.is_dir() else []
    for folder in (*_folders_of(feature.name), *others):
        if folder.is_dir() and _holds(folder, feature):
            return folder
    raise _missing(feature.name, feature.sha256)


def _folders_of(name: str) -> Iterator[Path]:
    """Folders where an encoder of this name may be."""
    yield models_folder() / name
    known = KNOWN_ENCODERS.get(name)
    if known is not None and (cached := _cached(known.hub_id)) is not None:
        yield cached


def _cached(hub_id: str) -> Path | None:
    """The folder of a model in Hugging Face's cache, if it was downloaded with any of its tools."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = try_to_load_from_cache(hub_id, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def _holds(folder: Path, feature: EncoderSpec) -> bool:
    try:
        weights = find_weights(folder)
    except EncoderError:
        return False
    return weights.architecture == feature.architecture and weights.sha256 == feature.sha256


def _missing(name: str, sha256: str | None = None) -> MissingWeightsError:
    which = f" (SHA-256 {sha256[:12]}…)" if sha256 else ""
    return MissingWeightsError(
        f"the weights of the encoder {name}{which} are not on this machine; give their folder with --encoder "
        f"{name}=FOLDER, or put it into {models_folder()}{_how_to_get(name)}"
    )


def _how_to_get(name: str) -> str:
    return f", or run `ser-features encoder get {name}`" if name in KNOWN_ENCODERS else ""
