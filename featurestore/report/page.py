"""The page of a report: charts, tables and text in one HTML file."""

from __future__ import annotations

from dataclasses import dataclass

from featurestore.page.picture import Picture
from featurestore.page.render import render
from featurestore.report.charts import MOST_PANELS, draw_counts, draw_histograms
from featurestore.report.clip_map import FEWEST_CLIPS, ClipMap
from featurestore.report.examples import MOST_DRAWN_VIEWS, Example
from featurestore.report.findings import StoreFindings
from featurestore.report.layer_charts import draw_layers
from featurestore.report.layers import LayerProfile
from featurestore.report.map_charts import MOST_NAMED, WRITTEN_BELOW, colours_of, draw_map
from featurestore.report.provenance import RECIPE_FILE
from featurestore.report.spectrograms import (
    LEAST_SHARE,
    common_limits,
    draw_contrast,
    draw_correlation,
    draw_example,
    draw_mean_spectrograms,
)
from featurestore.report.tables import (
    Table,
    balance_table,
    corpora_table,
    counts_table,
    formats_table,
    imported_table,
    layers_table,
    libraries_table,
    licences_table,
    measure_table,
    remarks_table,
    separation_table,
    views_table,
)


@dataclass(frozen=True)
class _ExamplePicture:
    """An example and its picture."""

    example: Example
    picture: Picture


@dataclass(frozen=True)
class _Layers:
    """An encoder's layers, their table and, if there are several, their picture."""

    profile: LayerProfile
    table: Table
    picture: Picture | None


@dataclass(frozen=True)
class _MapPicture:
    """A coloured map. ``named``: label and colour of each group that the picture itself does not name."""

    kind: str
    groups: int
    picture: Picture
    named: tuple[tuple[str, str], ...]


def render_page(name: str, found: StoreFindings) -> str:
    """HTML of the report on the store ``name``; equal findings give equal pages."""
    held, spec = found.contents, found.spec
    limits = common_limits(found.examples)
    return render(
        "featurestore.report",
        "report.html",
        name=name,
        found=found,
        held=held,
        spec=spec,
        origin=found.provenance,
        facts=_facts(found),
        corpora=corpora_table(held),
        counts=counts_table(held),
        counts_picture=draw_counts(held) if held.counts.any() else None,
        undrawn_corpora=max(0, len(held.corpora) - MOST_PANELS),
        balance=balance_table(held),
        empty=_without_clips(found),
        durations=measure_table([found.duration]),
        duration_picture=_durations(found),
        formats=formats_table(found),
        quality=measure_table(found.quality),
        quality_picture=_quality(found),
        bad=remarks_table(found.problems.bad, "problem"),
        noted=remarks_table(found.problems.noted, "note"),
        views=views_table(spec),
        mean_pictures=_means(found),
        least_share=LEAST_SHARE,
        correlation=found.correlation,
        correlation_picture=draw_correlation(found.correlation)
        if found.correlation is not None and found.correlation.frames
        else None,
        layers=[_layers(profile) for profile in found.embeddings.layers],
        clip_map=found.embeddings.map,
        map_pictures=_maps(found.embeddings.map),
        separations=separation_table(found.embeddings.map),
        fewest_mapped=FEWEST_CLIPS,
        examples=[
            _ExamplePicture(example, draw_example(example, found.axes, limits))
            for example in found.examples
            if found.axes is not None
        ],
        undrawn_views=max(0, len(spec.view_names) - MOST_DRAWN_VIEWS),
        licences=licences_table(held),
        imported=imported_table(spec.imported),
        libraries=libraries_table(found.provenance.libraries),
        recipe_file=RECIPE_FILE,
    )


def _facts(found: StoreFindings) -> list[tuple[str, str]]:
    held, spec = found.contents, found.spec
    hours = sum(corpus.hours for corpus in held.corpora)
    return [
        ("clips", f"{held.clips:,}"),
        ("bad clips", f"{held.bad:,}"),
        ("views", f"{len(spec.view_names)}"),
        ("speakers", f"{held.speakers:,}"),
        ("emotions", f"{sum(share > 0 for share in held.balance[-1].shares) if held.balance else 0}"),
        ("duration", f"{hours:.2f} h" if hours >= 0.1 else f"{60 * hours:.1f} min"),
        ("size", format_size(found.provenance.bytes)),
    ]


def format_size(count: int) -> str:
    """A size in bytes as MB or GB."""
    return f"{count / 1e9:,.2f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _means(found: StoreFindings) -> tuple[Picture, Picture] | None:
    means, axes = found.means, found.axes
    if means is None or axes is None or not means.frames.any():
        return None
    return draw_mean_spectrograms(means, axes), draw_contrast(means, axes)


def _layers(profile: LayerProfile) -> _Layers:
    drawn = len(profile.layers) > 1 and profile.clips > 1
    return _Layers(profile, layers_table(profile), draw_layers(profile) if drawn else None)


def _maps(found: ClipMap | None) -> list[_MapPicture]:
    """The map by emotion, and by all else of which there are several groups, but not by many sentences."""
    if found is None or found.points is None:
        return []
    pictures = []
    for grouping in found.points.groupings:
        count = len(grouping.groups)
        if (count < 2 and grouping.kind != "emotion") or (grouping.kind == "sentence" and count > MOST_NAMED):
            continue
        named = colours_of(grouping) if grouping.kind in WRITTEN_BELOW and count <= MOST_NAMED else {}
        picture = draw_map(found.points, grouping)
        pictures.append(_MapPicture(grouping.kind, count, picture, tuple(named.items())))
    return pictures


def _without_clips(found: StoreFindings) -> list[str]:
    clips = found.contents.counts.sum(axis=(0, 1))
    return [name for name, count in zip(found.contents.emotions, clips, strict=True) if not count]


def _durations(found: StoreFindings) -> Picture | None:
    if not found.duration.known:
        return None
    window = found.spec.length / found.spec.audio.sample_rate
    inside = found.duration.edges[0] <= window <= found.duration.edges[-1]
    return draw_histograms([found.duration], (window, f"window, {window:.4g} s") if inside else None)


def _quality(found: StoreFindings) -> Picture | None:
    drawn = [measure for measure in found.quality if measure.known and measure.column.name in _DRAWN]
    return draw_histograms(drawn) if drawn else None


_DRAWN = {"snr_db", "loudness_lufs", "silence_ratio", "peak"}
"""Columns with a histogram. Clipping is 0 for nearly all recordings, so a table shows it better."""
