"""Features of a GPU: differences from the CPU, views per second, waits of the host, peak memory."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gpu.machine import seconds_of
from gpu.session import Session, Tell
from pipelines.decode import decode
from pipelines.device import choose_device
from pipelines.feature_batch import FeatureBatch
from pipelines.float32_products import float32_products
from pipelines.pipeline import Pipeline
from schemas.features import named_features
from schemas.recipe import load_recipe
from schemas.spec import StoreSpec


def specifications(session: Session) -> dict[str, StoreSpec]:
    """Default features, all features, and a recipe whose views draw a value for every clip."""
    default = load_recipe("four-corpora-a").store_spec(session.size(6, 2))
    return {
        "default": default,
        "all": default.model_copy(update={"features": named_features("all", default.features)}),
        "drawn": load_recipe("cremad").store_spec(len(load_recipe("cremad").views)),
    }


def sounds_of(session: Session, spec: StoreSpec, clips: int) -> tuple[list[str], list[Any], list[Any]]:
    """Names, samples, and samples before trimming, of real recordings."""
    _, files = session.corpora(min(clips, 60))
    chosen = [files[number % len(files)] for number in range(clips)]
    decoded = {file: decode(Path(file).read_bytes(), spec.audio) for file in set(chosen)}
    names = [f"clip/{number}" for number in range(clips)]
    return names, [decoded[file].samples for file in chosen], [decoded[file].untrimmed for file in chosen]


def compare_with_cpu(session: Session, tell: Tell) -> None:
    """Mean and largest absolute difference by feature and view, over a batch of real clips."""
    spec = specifications(session)["all"]
    there, here = Pipeline(spec, choose_device(session.device)), Pipeline(spec, torch.device("cpu"))
    names, samples, whole = sounds_of(session, spec, session.size(60, 2))
    found: dict[str, list[npt.NDArray[np.float64]]] = {}
    with float32_products(tf32=False):
        batch = there(names, samples, whole) if there.clips_at_once > 1 else None
        for number, name in enumerate(names):
            one = ([name], [samples[number]], [whole[number]])
            other = batch.clip(number) if batch is not None else there(*one)
            for feature, difference in _differences(other, here(*one)).items():
                found.setdefault(feature, []).append(difference)
    for feature, values in found.items():
        means, largest = (np.stack(values)[:, part] for part in (0, 1))
        tell(
            f"mean difference, {feature}", dict(zip(spec.view_names, means.max(axis=0).tolist(), strict=True))
        )
        tell(f"largest, {feature}", dict(zip(spec.view_names, largest.max(axis=0).tolist(), strict=True)))


def _differences(one: FeatureBatch, other: FeatureBatch) -> dict[str, npt.NDArray[np.float64]]:
    """Of each feature (2, view): mean and largest absolute difference."""
    pairs = {name: (one.arrays[name], values) for name, values in other.arrays.items()}
    errors = {name: np.abs(a.astype(np.float64) - b.astype(np.float64)) for name, (a, b) in pairs.items()}
    dims = (1, 2, 3)
    return {name: np.stack([error.mean(axis=dims), error.max(axis=dims)]) for name, error in errors.items()}


def measure_speed(session: Session, tell: Tell) -> None:
    """Views per second, computing alone, and the most memory that the device held."""
    for name, spec in specifications(session).items():
        pipeline = Pipeline(spec, choose_device(session.device))
        clips = pipeline.clips_at_once
        sounds = sounds_of(session, spec, clips)
        if session.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        seconds = seconds_of(lambda p=pipeline, s=sounds: p(*s), session.device, session.size(15, 1))
        tell(f"views/s, {name}", round(clips * len(spec.view_names) / seconds, 1))
        tell(f"clips/s, {name}", round(clips / seconds, 1))
        if session.device == "cuda":
            tell(f"peak GiB, {name}", round(torch.cuda.max_memory_allocated() / 2**30, 2))


def find_waits(session: Session, tell: Tell) -> None:
    """Lines of this project at which the host waits for the GPU, with their number per batch."""
    for name, spec in specifications(session).items():
        pipeline = Pipeline(spec, choose_device(session.device))
        sounds = sounds_of(session, spec, pipeline.clips_at_once)
        pipeline(*sounds)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if session.device == "cuda":
                torch.cuda.set_sync_debug_mode("warn")
            pipeline(*sounds)
            if session.device == "cuda":
                torch.cuda.set_sync_debug_mode("default")
        lines = Counter(f"{warning.filename.rpartition('/')[2]}:{warning.lineno}" for warning in caught)
        tell(f"waits per batch, {name}", lines.total())
        tell(f"lines, {name}", dict(lines.most_common(15)))
