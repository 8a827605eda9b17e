"""Everything that a report says about a store, as numbers."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from featurestore.progress import Progress
from featurestore.report.axes import MelAxes, read_mel_axes
from featurestore.report.blocks import corpus_rows
from featurestore.report.clip_map import ClipMap
from featurestore.report.contents import Contents, count_contents
from featurestore.report.correlation import Correlation, compute_correlation
from featurestore.report.embeddings import VectorFindings, examine_embeddings
from featurestore.report.examples import Example, read_examples
from featurestore.report.measures import DURATION, QUALITY, FileFormat, Measure, file_formats, measure
from featurestore.report.problems import Problems, find_problems
from featurestore.report.provenance import Provenance, collect_provenance
from featurestore.report.spectra import MeanSpectra, compute_mean_spectra
from featurestore.store import FeatureStore
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class StoreFindings:
    """What was found in a store.

    ``means``, ``correlation`` and ``axes`` are None and ``examples`` is empty if the store lacks the feature.
    ``filled``: share of the originals' frames that hold sound rather than padding; None without usable clips.
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
    embeddings: VectorFindings
    examples: tuple[Example, ...]
    provenance: Provenance


def examine(store: FeatureStore, progress: Progress) -> StoreFindings:
    """Read what a report needs: tables, originals, and all views of one clip per emotion.

    Of mel and MFCC, all originals are read; of encoders' features, those of a sample of the clips.

    Raises what :meth:`featurestore.store.FeatureStore.read` raises.
    """
    manifest = store.manifest
    held = count_contents(store.document, manifest)
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
        problems=find_problems(manifest),
        filled=float(heard.mean() / store.spec.frames) if len(heard) else None,
        axes=read_mel_axes(store),
        means=compute_mean_spectra(store, held.emotions, rows, progress),
        correlation=compute_correlation(store, rows, progress),
        embeddings=examine_embeddings(store, progress),
        examples=read_examples(store, held.emotions, progress),
        provenance=collect_provenance(store),
    )


def findings_json(found: StoreFindings) -> dict[str, Any]:
    """The findings as JSON values; non-finite numbers become null and arrays become nested lists.

    Pictures are left out: the mean spectra are included but not the mean spectrograms, the examples but not
    their spectrograms, and what is known about the map of clips, but not their places on it.
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
        "encoders": _value(found.embeddings.layers),
        "map": None if found.embeddings.map is None else _map(found.embeddings.map),
        "examples": [
            {
                "emotion": example.emotion,
                "clip_id": example.clip_id,
                "speaker": example.speaker,
                "label": example.label,
                "sentence": example.sentence,
                "duration_s": _value(example.duration_s),
                "views": {view.name: view.drawn for view in example.views},
            }
            for example in found.examples
        ],
    }


def _map(found: ClipMap) -> dict[str, Any]:
    points = found.points
    return {
        "feature": found.feature,
        "layer": found.layer,
        "width": found.width,
        "clips": found.clips,
        "usable": found.usable,
        "explained": None if points is None else _value(points.explained),
        "separation": {}
        if points is None
        else {grouping.kind: _value(grouping.separation) for grouping in points.groupings},
    }


def _value(thing: Any) -> Any:
    """A number, array, container or dataclass as JSON values."""
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
