"""The encoders that are known or given, and which of them are on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from pipelines.encoders.locate import locate_encoder
from pipelines.encoders.weights import EncoderWeights
from pipelines.process import single_threaded
from schemas.encoders import ENCODER_RATE
from schemas.errors import EncoderError, MissingWeightsError
from schemas.known_encoders import KNOWN_ENCODERS, KnownEncoder

_CLIP_S, _REPEATS = 2, 5


@dataclass(frozen=True)
class ListedEncoder:
    """An encoder by its name.

    ``known`` : what is published about it, None for one that only the user knows. ``weights`` : None if they
    are not on this machine, or ``problem`` says why they are unusable. ``clip_ms`` : milliseconds that a clip
    of 2 s takes on one core through all layers, None if not measured.
    """

    name: str
    known: KnownEncoder | None
    weights: EncoderWeights | None
    problem: str = ""
    clip_ms: float | None = None


def list_encoders(folders: Mapping[str, Path]) -> tuple[ListedEncoder, ...]:
    """All known encoders, and those of ``folders``, which the user gives by name."""
    names = (*KNOWN_ENCODERS, *(name for name in folders if name not in KNOWN_ENCODERS))
    return tuple(_entry(name, folders) for name in names)


def _entry(name: str, folders: Mapping[str, Path]) -> ListedEncoder:
    known = KNOWN_ENCODERS.get(name)
    try:
        return ListedEncoder(name, known, locate_encoder(name, folders))
    except MissingWeightsError:
        return ListedEncoder(name, known, None)
    except EncoderError as error:
        return ListedEncoder(name, known, None, str(error))


def measure_cost(entry: ListedEncoder) -> ListedEncoder:
    """The entry with the median time of a clip of 2 s on one core; unchanged without weights."""
    if entry.weights is None:
        return entry
    states = tuple(range(entry.weights.architecture.blocks + 1))
    encoder = entry.weights.load(states, torch.device("cpu"))
    clip = 0.1 * torch.randn(1, _CLIP_S * ENCODER_RATE, generator=torch.Generator().manual_seed(0))
    seconds = []
    with single_threaded():
        for _ in range(_REPEATS + 1):
            started = time.perf_counter()
            encoder.hidden_states(clip)
            seconds.append(time.perf_counter() - started)
    return replace(entry, clip_ms=1000 * sorted(seconds[1:])[_REPEATS // 2])
