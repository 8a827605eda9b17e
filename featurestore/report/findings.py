"""All that a report says of a store, as numbers."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from featurestore.progress import Progress
from featurestore.report.axes import MelAxes, mel_axes
from featurestore.report.blocks import corpus_rows
from featurestore.report.contents import Contents, contents
from featurestore.report.correlation import Correlation, mfcc_correlation
from featurestore.report.examples import Example, examples
from featurestore.report.measures import DURATION, QUALITY, FileFormat, Measure, file_formats, measure
from featurestore.report.problems import Problems, problems
from featurestore.report.provenance import Provenance, provenance
from featurestore.report.spectra import MeanSpectra, mean_spectra
from featurestore.store import FeatureStore
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class StoreFindings:
    """``means``, ``correlation`` and ``axes`` are None, ``examples`` empty, where the feature is not there.

    ``filled`` : share of the originals' frames that hold sound and not padding; None without usable clips.
    """

    spec: StoreSpec
    contents: Contents
    duration: Measure
    quality: tuple[Measure, ...]
    formats: tuple[FileFormat, ...]
    problems: Problems
    filled: float | None
    axes: MelAxes | None
    means: MeanSpectra | None
    correlation: Correlation | None
    examples: tuple[Example, ...]
    provenance: Provenance


def examine(store: FeatureStore, progress: Progress) -> StoreFindings:
    """Read what is needed: tables, view 0 of mel and mfcc, and all views of one clip an emotion.

    Raises as :meth:`featurestore.store.FeatureStore.read`.
    """
    manifest = store.manifest
    held = contents(store.document, manifest)
    corpora = tuple(corpus.name for corpus in held.corpora)
    rows = corpus_rows(store, held.emotions)
    valid = np.concatenate([of.lengths for of in rows.values()] or [np.empty(0, np.int64)])
    heard = valid[valid > 0]
    return StoreFindings(
        spec=store.spec,
        contents=held,
        duration=measure(manifest, corpora, DURATION),
        quality=tuple(measure(manifest, corpora, column) for column in QUALITY),
        formats=file_formats(manifest),
        problems=problems(manifest),
        filled=float(heard.mean() / store.spec.frames) if len(heard) else None,
        axes=mel_axes(store),
        means=mean_spectra(store, held.emotions, rows, progress),
        correlation=mfcc_correlation(store, rows, progress),
        examples=examples(store, held.emotions, progress),
        provenance=provenance(store),
    )


def findings_json(found: StoreFindings) -> dict[str, Any]:
    """The findings as JSON values; numbers that are not finite become null.

    Arrays are nested lists. Of the means the spectra are there, and not the spectrograms; of examples what
    they are, and not their pictures.
    """
    means = found.means
    return {
        "provenance": _value(found.provenance),
        "spec": found.spec.model_dump(mode="json"),
        **_value(found.contents),
        "duration": _value(found.duration),
        "quality": _value(found.quality),
        "formats": _value(found.formats),
        "problems": _value(found.problems),
        "filled": found.filled,
        "mel": None
        if means is None or found.axes is None
        else {
            "band_hz": _value(found.axes.hertz),
            "emotions": list(means.emotions),
            "frames": _value(means.frames),
            "mean_db": _value(means.spectrum),
        },
        "mfcc": _value(found.correlation),
        "examples": [
            {
                **{name: _value(getattr(example, name)) for name in _TOLD},
                "views": {view.name: view.drawn for view in example.views},
            }
            for example in found.examples
        ],
    }


_TOLD = ("emotion", "clip_id", "speaker", "label", "sentence", "duration_s")


def _value(thing: Any) -> Any:
    match thing:
        case np.ndarray():
            return _value(thing.tolist())
        case float():
            return thing if math.isfinite(thing) else None
        case dict():
            return {name: _value(part) for name, part in thing.items()}
        case list() | tuple():
            return [_value(part) for part in thing]
        case _ if dataclasses.is_dataclass(thing):
            return {field.name: _value(getattr(thing, field.name)) for field in dataclasses.fields(thing)}
        case _:
            return thing
