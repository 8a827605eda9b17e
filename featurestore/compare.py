"""Compare two stores: specification, corpora, clips, views and the values of their arrays."""

from __future__ import annotations

from dataclasses import dataclass

from featurestore.differences.tables import (
    ColumnDifference,
    FieldDifference,
    OnlyIn,
    compare_columns,
    compare_drawn,
    compare_fields,
    compare_names,
    fill_optional,
    flatten_fields,
    index_by_clip,
    specification_fields,
)
from featurestore.differences.values import Numbers, compare_values
from featurestore.format.layout import is_shard
from featurestore.progress import Progress, Silent
from featurestore.store import FeatureStore
from schemas.tables import OPTIONAL_COLUMNS, manifest_schema

_LAYOUT = {"rows", "units", "part_of"}


@dataclass(frozen=True)
class Comparison:
    """Every difference between the stores A and B. The order of rows, features and views does not count."""

    digests: tuple[str, str]
    spec: tuple[FieldDifference, ...]
    """Fields of the specification; features and views by name. ``feature_version`` is that of the code."""
    features_only: OnlyIn
    views_only: OnlyIn
    corpora_only: OnlyIn
    corpora: tuple[FieldDifference, ...]
    """What ``store.json`` records about the corpora that both stores have."""
    clips_only: OnlyIn
    """Clip ids."""
    columns: tuple[ColumnDifference, ...]
    """Labels, audio hash, status and the other columns of the manifest, for clips that both stores have."""
    drawn: tuple[ColumnDifference, ...]
    """Parameters, keys of the random streams and valid frames of clips and views that both stores have."""
    numbers: Numbers | None
    """None if the values were not compared."""
    libraries: tuple[FieldDifference, ...]
    """Versions of the libraries that built the stores, for information only: not a difference."""

    @property
    def identical(self) -> bool:
        """Whether the digests are equal: then every byte is equal, and so is the layout."""
        return self.digests[0] == self.digests[1]

    @property
    def same(self) -> bool:
        """Whether nothing that was compared differs, however the stores lay it out."""
        return not (
            self.spec
            or self.features_only
            or self.views_only
            or self.corpora_only
            or self.corpora
            or self.clips_only
            or self.columns
            or self.drawn
            or (self.numbers and (self.numbers.differing or self.numbers.incomparable))
        )


def compare(
    a: FeatureStore, b: FeatureStore, progress: Progress | None = None, *, values: bool = True
) -> Comparison:
    """Compare two stores clip by clip, matching clips by id; with ``values`` False, skip the arrays.

    Every object of both stores is hashed first, without ``values`` every object but the shards: equal hashes
    in two ``store.json`` say nothing of damaged files. A store elsewhere is therefore transferred whole.

    The arrays are read one unit of A (256 clips), one feature and one view at a time, at most
    :data:`featurestore.differences.values.MOST_VALUES` values of each store: about 0.15 GB for 128 × 130
    values per clip, however many clips there are. The tables of both stores, and all differences found in
    them, are held in memory whole. If B holds the clips in other rows, each unit of A decodes every chunk of
    B that has one of its clips.

    Raises what :meth:`FeatureStore.read` raises for damaged objects.
    """
    progress = progress or Silent()
    for store in (a, b):
        _hash_objects(store, progress, values=values)
    clips_a, clips_b = index_by_clip(a.manifest), index_by_clip(b.manifest)
    common = clips_a.index[clips_a.index.isin(clips_b.index)]
    only_a, only_b = clips_a.index[~clips_a.index.isin(common)], clips_b.index[~clips_b.index.isin(common)]
    corpora_a, corpora_b = a.document.datasets, b.document.datasets
    entries_a, entries_b = (
        flatten_fields({name: own[name].model_dump(exclude=_LAYOUT) for name in own if name in other})
        for own, other in ((corpora_a, corpora_b), (corpora_b, corpora_a))
    )
    clips_a, clips_b = clips_a.loc[common], clips_b.loc[common]
    optional = [name for name in OPTIONAL_COLUMNS.names if name in clips_a or name in clips_b]
    schema = manifest_schema(optional)
    clips_a, clips_b = (fill_optional(clips, optional) for clips in (clips_a, clips_b))
    columns = [name for name in schema.names if name not in ("clip_id", "row")]
    return Comparison(
        digests=(a.digest, b.digest),
        spec=compare_fields(specification_fields(a), specification_fields(b)),
        features_only=compare_names(a.spec.coefficients, b.spec.coefficients),
        views_only=compare_names(a.spec.view_names, b.spec.view_names),
        corpora_only=compare_names(corpora_a, corpora_b),
        corpora=compare_fields(entries_a, entries_b),
        clips_only=OnlyIn(tuple(only_a), tuple(only_b)),
        columns=tuple(compare_columns(clips_a, clips_b, columns, schema)),
        drawn=tuple(compare_drawn(a, b, common)),
        numbers=compare_values(a, b, clips_a, clips_b, progress) if values else None,
        libraries=compare_fields(a.document.libraries, b.document.libraries),
    )


def _hash_objects(store: FeatureStore, progress: Progress, *, values: bool) -> None:
    """Hash what is compared. Raises :class:`StoreDamagedError`, naming the object, at the first damage."""
    objects = store.document.objects
    names = [name for name in objects if values or not is_shard(name)]
    with progress.task("hash", sum(objects[name].bytes for name in names), "bytes") as advance:
        store.objects.hash_all(names, advance)
