"""Output of ``ser-features info``, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table

from featurestore.cli.text.imports import imported_text
from featurestore.cli.text.lines import escape, licence_lines, part_lines, summary_line
from featurestore.format.documents import StoreDocument
from featurestore.store import FeatureStore
from schemas.encoders import EncoderSpec
from schemas.features import FeatureSpec
from schemas.imported import ImportedSpec
from schemas.messages.counts import choose_form, format_count
from schemas.tables import OPTIONAL_COLUMNS

_TABLES = "tables and metadata"
_MOST_VALUES = 8


def info_text(store: FeatureStore) -> RenderableType:
    """Corpora, features, views and settings of a store."""
    document, spec = store.document, store.spec
    sizes = _sizes(document)
    audio = spec.audio
    trim = f"trimmed at {audio.trim_db:g} dB" if audio.trim_db else "not trimmed"
    normalised = ", peak-normalised" if audio.normalise == "peak" else ""
    return Group(
        f"[bold]{escape(str(store.place))}[/]: {summary_line(document)}",
        f"  {document.digest}",
        *part_lines(document.part_of),
        "",
        _corpora_table(store),
        "",
        f"audio     {audio.sample_rate} Hz, {spec.length / audio.sample_rate:.4g} s, {trim}{normalised}; "
        f"n_fft {spec.spectral.n_fft}, hop {spec.spectral.hop_length}, "
        f"{spec.frames} {choose_form(spec.frames, 'frame')}",
        *(
            f"feature   {feature.name} × {spec.coefficients[feature.name]}{_origin(feature)}: "
            f"{sizes[feature.name] / 1e6:,.1f} MB"
            for feature in spec.features
        ),
        f"tables    {sizes[_TABLES] / 1e6:,.1f} MB",
        *(f"column    {escape(line)}" for line in _optional_columns(store.manifest)),
        f"views     {', '.join(f'{i} {name}' for i, name in enumerate(spec.view_names))}",
        f"storage   {spec.storage.dtype}, {spec.storage.codec}; seed {spec.seed}",
        *licence_lines(spec),
        f"built by  {', '.join(f'{name} {number}' for name, number in document.libraries.items())}",
    )


def _optional_columns(manifest: pd.DataFrame) -> Iterator[str]:
    """One line for each optional column that the manifest has: its values, or their range."""
    for name in (name for name in OPTIONAL_COLUMNS.names if name in manifest):
        column = manifest[name]
        if pd.api.types.is_numeric_dtype(column):
            known = column.dropna()
            values = f"{known.min():g} to {known.max():g}"
        else:
            known = column[column != ""]
            different = sorted(known.unique())
            shown = ", ".join(different[:_MOST_VALUES])
            values = f"{shown}, …" if len(different) > _MOST_VALUES else shown
        yield f"{name}: {values} ({len(known):,} of {format_count(len(manifest), 'clip')})"


def _origin(feature: FeatureSpec) -> str:
    """Layers and weights of an encoder, shape and source of an imported feature; empty for other features."""
    if isinstance(feature, ImportedSpec):
        return f" ({imported_text(feature)})"
    if not isinstance(feature, EncoderSpec):
        return ""
    numbers = ", ".join(map(str, feature.all_layers))
    return f" ({feature.pooling} of layers {numbers}; weights {str(feature.sha256)[:12]})"


def info_json(store: FeatureStore) -> dict[str, Any]:
    """``store.json``, with the number and total size of the objects instead of their list."""
    document = store.document
    return {
        **document.model_dump(mode="json", exclude={"objects"}),
        "objects": len(document.objects),
        "bytes": sum(entry.bytes for entry in document.objects.values()),
    }


def _corpora_table(store: FeatureStore) -> Table:
    manifest = store.manifest
    table = Table("corpus", "clips", "unusable", "speakers", "emotions", "hours", "licence", box=None)
    for name, entry in store.document.datasets.items():
        part = manifest[manifest["dataset"] == name]
        table.add_row(
            name,
            f"{entry.clips:,}",
            str(entry.bad),
            str(part["speaker"].nunique()),
            str(part["emotion"].nunique()),
            f"{part['duration_s'].sum() / 3600:.2f}",
            escape(entry.licence),
        )
    return table


def _sizes(document: StoreDocument) -> Counter[str]:
    """Feature → bytes of its shards; :data:`_TABLES` → bytes of everything else."""
    sizes: Counter[str] = Counter()
    for name, stored in document.objects.items():
        parts = name.split("/")
        sizes[parts[1] if len(parts) == 7 else _TABLES] += stored.bytes
    return sizes
