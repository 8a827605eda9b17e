"""One example clip of each emotion, in all its views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from featurestore.listen.view_words import parameter_text
from featurestore.progress import Progress
from featurestore.report.blocks import Floats
from featurestore.store import FeatureStore
from schemas.clip import Status

MOST_DRAWN_VIEWS = 12
"""Views of a clip that are drawn; a store may have ten times as many."""


@dataclass(frozen=True)
class ExampleView:
    """One view of a clip: its drawn parameter as text ("" for the original), and its mel spectrogram.

    ``mel``: (band, valid frame) dB re 1.0, without padding.
    """

    index: int
    name: str
    drawn: str
    mel: Floats


@dataclass(frozen=True)
class Example:
    """The clip whose duration is closest to the median of its emotion; the first by id in case of a tie."""

    emotion: str
    clip_id: str
    speaker: str
    label: str
    sentence: str
    duration_s: float | None
    views: tuple[ExampleView, ...]


def read_examples(store: FeatureStore, emotions: tuple[str, ...], progress: Progress) -> tuple[Example, ...]:
    """One example per emotion with a usable clip; empty for a store without mel spectrograms.

    Raises what :meth:`featurestore.store.FeatureStore.read` raises.
    """
    if "mel" not in store.spec.coefficients:
        return ()
    chosen = {emotion: typical_clip(store.manifest, emotion) for emotion in emotions}
    views = range(min(MOST_DRAWN_VIEWS, len(store.spec.view_names)))
    found = []
    with progress.task(
        "read examples", len(views) * sum(c is not None for c in chosen.values()), "views"
    ) as done:
        for emotion, position in chosen.items():
            if position is None:
                continue
            pictures = []
            for view in views:
                pictures.append(_view(store, position, view))
                done(1)
            row = store.manifest.iloc[position]
            seconds = float(row["duration_s"])
            found.append(
                Example(
                    emotion=emotion,
                    clip_id=str(row["clip_id"]),
                    speaker=str(row["speaker"]),
                    label=str(row["label"]),
                    sentence=str(row["sentence"]),
                    duration_s=seconds if np.isfinite(seconds) else None,
                    views=tuple(pictures),
                )
            )
    return tuple(found)


def typical_clip(manifest: pd.DataFrame, emotion: str) -> int | None:
    """Position in the manifest of the example of an emotion; None if it has no usable clip."""
    of = np.flatnonzero(((manifest["emotion"] == emotion) & (manifest["status"] == Status.OK)).to_numpy())
    if not len(of):
        return None
    seconds = manifest["duration_s"].to_numpy(np.float64)[of]
    known = np.isfinite(seconds)
    middle = np.median(seconds[known]) if known.any() else 0.0
    away = np.where(known, np.abs(seconds - middle), np.inf)
    nearest = of[away == away.min()]
    ids = manifest["clip_id"]
    return int(min(nearest, key=lambda position: str(ids.iloc[position])))


def _view(store: FeatureStore, position: int, view: int) -> ExampleView:
    mel = store.read([position], views=[view], features=["mel"])["mel"][0, 0]
    frames = int(store.valid_frames([position], views=[view])[0, 0])
    views = len(store.spec.view_names)
    parameter = store.views["parameter"].to_numpy(np.float64)[position * views + view]
    kind = store.spec.views[view - 1].kind if view else "original"
    drawn = parameter_text(kind, parameter, store.spec.audio.sample_rate).replace("-", "−")
    return ExampleView(view, store.spec.view_names[view], drawn, mel[:, :frames])
