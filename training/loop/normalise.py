"""Normalisation of a model's input by its ``InputSpec``, fitted on training clips, applied on the device.

``standard`` and ``minmax`` compute ``(x − offset) / scale`` with one offset and scale per coefficient;
``sample`` takes both from the sample itself; ``none`` leaves values as stored. ``speaker`` and ``corpus`` are
applied when vectors are read (:mod:`training.vectors.groups`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor, nn

from featurestore.places.durable import write_durably
from featurestore.store import FeatureStore
from schemas.errors import RunError
from schemas.model import canonical_json
from schemas.recipe import first_problem
from schemas.training import InputSpec, NormalisationMode
from training.loop.statistics import extremes, moments
from training.samples.samples import Samples
from training.splits.side import ORIGINAL_VIEW
from training.vectors.clip_vectors import ClipVectors
from training.vectors.rounding import ROUNDING, SMALLEST_DEVIATION
from training.vectors.source import read_vectors


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Offset to subtract from the stacked coefficients and scale to divide them by, (C,) float32 each.

    ``sample`` and ``none`` do not use them (0 and 1). ``clip`` limits results to ±clip.
    """

    offset: NDArray[np.float32]
    scale: NDArray[np.float32]
    mode: NormalisationMode = "standard"
    clip: float | None = None

    def save(self, path: Path) -> None:
        """Write as safetensors: ``offset``, ``scale``, and mode and clip as an InputSpec in the header."""
        tensors = {"offset": self.offset, "scale": self.scale}
        spec = InputSpec(normalise=self.mode, clip=self.clip)
        write_durably(path, save(tensors, metadata={"input": canonical_json(spec.model_dump())}))

    @classmethod
    def load(cls, path: Path) -> Normalisation:
        """Read what :meth:`save` wrote. Raises :class:`RunError` for anything else."""
        try:
            with safe_open(path, framework="numpy") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
                header = (file.metadata() or {})["input"]
            return _parse(tensors, header)
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise RunError(f"cannot read {path} ({error}); start a new run") from error


def normalisation_of(
    store: FeatureStore,
    spec: InputSpec,
    clips: NDArray[np.int64],
    views: Sequence[int],
    features: Sequence[str],
    vectors: ClipVectors | None = None,
) -> Normalisation:
    """Fit a normalisation to the valid frames of the training ``clips`` (rows) in the training ``views``.

    ``features`` are stacked in order. No other clips influence it. For a model of ``vectors`` it is fitted to
    those of the clips' original views, whatever ``views`` are. Raises what :meth:`FeatureStore.read` raises
    if clips must be read.
    """
    if vectors is not None:
        return _of_vectors(store, spec, clips, features, vectors)
    count = sum(store.spec.coefficients[feature] for feature in features)
    offset, scale = np.zeros(count), np.ones(count)
    if spec.normalise == "standard":
        offset, scale = moments(store, clips, views, features)
    elif spec.normalise == "minmax":
        lowest, highest = extremes(store, clips, views, features)
        offset, scale = lowest.astype(np.float64), highest.astype(np.float64) - lowest
    return Normalisation(
        offset=offset.astype(np.float32),
        scale=np.where(scale < SMALLEST_DEVIATION, 1.0, scale).astype(np.float32),
        mode=spec.normalise,
        clip=spec.clip,
    )


def _of_vectors(
    store: FeatureStore,
    spec: InputSpec,
    clips: NDArray[np.int64],
    features: Sequence[str],
    vectors: ClipVectors,
) -> Normalisation:
    distinct = np.unique(clips)
    originals = Samples(
        distinct, np.full(len(distinct), ORIGINAL_VIEW), np.zeros(len(distinct), dtype=np.int64)
    )
    if spec.normalise == "standard":
        return normalisation_of_vectors(
            spec, read_vectors(store, originals, features, vectors, torch.device("cpu"))
        )
    return normalisation_of_vectors(spec, torch.zeros((0, vectors.width)))


def normalisation_of_vectors(spec: InputSpec, vectors: Tensor) -> Normalisation:
    """Fit a normalisation to ``vectors`` (clips, D) float32 of the training clips in their original views."""
    if spec.normalise == "standard":
        found = vectors.double()
        offset, scale = found.mean(0).numpy(), found.std(0, correction=0).numpy()
    else:  # "none", or "speaker" or "corpus", which were applied when they were read
        offset, scale = np.zeros(vectors.shape[1]), np.ones(vectors.shape[1])
    return Normalisation(
        offset=offset.astype(np.float32),
        scale=np.where(scale < SMALLEST_DEVIATION, 1.0, scale).astype(np.float32),
        mode="standard" if spec.normalise == "standard" else "none",
        clip=spec.clip,
    )


class Normaliser(nn.Module):
    """Turns stored features into the model's input; ``offset`` and ``scale`` are buffers (C, 1).

    Works in place on one copy and never waits for the device. The same batch always gives the same tensors.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, normalisation: Normalisation) -> None:
        super().__init__()
        self.mode = normalisation.mode
        self.clip = normalisation.clip
        self.register_buffer("offset", torch.from_numpy(normalisation.offset.copy())[:, None])
        self.register_buffer("scale", torch.from_numpy(normalisation.scale.copy())[:, None])

    def forward(self, features: Tensor, valid_frames: Tensor) -> Tensor:
        """(B, 1, C, T) as stored → float32, normalised, 0 in padded frames; ``valid_frames`` (B,) ≥ 1.

        The content of padded frames, including NaN, has no effect.
        """
        keep = _keep(valid_frames, features.shape[-1])
        x = features.to(torch.float32, copy=True)
        if self.mode == "sample":
            _normalise_each(x, valid_frames, keep)
        elif self.mode != "none":
            x.sub_(self.offset).div_(self.scale)
        if self.clip is not None:
            x.clamp_(-self.clip, self.clip)
        return _blank(x, keep)


def _normalise_each(x: Tensor, valid_frames: Tensor, keep: Tensor) -> None:
    """Give every sample zero mean and unit population deviation over its valid values, in place."""
    values = (valid_frames * x.shape[-2]).float()[:, None, None, None]
    mean = _blank(x, keep).sum(dim=(1, 2, 3), keepdim=True) / values
    _blank(x.sub_(mean), keep)
    deviation = torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True) / values.sqrt()
    constant = deviation < SMALLEST_DEVIATION + ROUNDING * mean.abs()
    x.div_(torch.where(constant, 1.0, deviation))


def _keep(valid_frames: Tensor, frames: int) -> Tensor:
    """(B, 1, 1, T) int32 with all bits set in valid frames and none in padded ones."""
    valid = torch.arange(frames, device=valid_frames.device) < valid_frames[:, None]
    return -valid.int()[:, None, None, :]


def _blank(x: Tensor, keep: Tensor) -> Tensor:
    """Set padded frames of ``x`` (B, 1, C, T) float32 to 0, in place.

    It works on bits, because NaN times 0 is NaN, and ``masked_fill_`` takes four times as long on a CPU.
    """
    x.view(torch.int32).bitwise_and_(keep)
    return x


def _parse(tensors: dict[str, NDArray[Any]], header: str) -> Normalisation:
    try:
        spec = InputSpec.model_validate_json(header, strict=True)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error
    if tensors.keys() != {"offset", "scale"}:
        raise ValueError(f"it holds {', '.join(sorted(tensors)) or 'nothing'}")
    offset, scale = tensors["offset"], tensors["scale"]
    if offset.ndim != 1 or offset.shape != scale.shape or {offset.dtype, scale.dtype} != {np.dtype("f4")}:
        raise ValueError(f"offset is {offset.dtype} {offset.shape} and scale {scale.dtype} {scale.shape}")
    if not (np.isfinite(offset).all() and np.isfinite(scale).all() and (scale > 0).all()):
        raise ValueError("an offset or scale is not finite, or a scale is not above 0")
    return Normalisation(offset, scale, spec.normalise, spec.clip)
