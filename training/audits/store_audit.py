"""Audit of splits of a store without training: of a protocol, a split file, or a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from featurestore.format.outside import require_outside
from featurestore.places.durable import storage_errors, write_durably
from featurestore.store import FeatureStore
from schemas.errors import UsageError
from schemas.overrides import override
from schemas.protocol import SplitSpec
from schemas.recipe import load_recipe
from training.audits.audit import Audit, audit
from training.audits.near_duplicates import Fingerprints
from training.audits.sounds import can_hear
from training.runs.options import Options
from training.samples.datasets import require_datasets
from training.samples.samples import Samples, cross
from training.splits.choose import splits_of
from training.splits.side import ORIGINAL_VIEW, SIDES, Side
from training.splits.split import Split


@dataclass(frozen=True)
class AuditRequest:
    """Splits to audit: drawn by ``options`` and ``seed``, or read from ``split`` or ``run``."""

    store: str
    options: Options = field(default_factory=Options)
    seed: int | None = None
    """None means 0."""
    split: Path | None = None
    """Split file."""
    run: Path | None = None
    """Folder of a run, or of a series of folds."""
    save: Path | None = None
    """File to write the split to; for several folds, one file each: ``NAME-1.json``."""


@dataclass(frozen=True)
class AuditedSplit:
    """A split and its audit."""

    split: Split
    audit: Audit


@dataclass(frozen=True)
class StoreAudit:
    """Result of :func:`audit_store`."""

    splits: tuple[AuditedSplit, ...]
    saved: tuple[Path, ...]
    notices: tuple[str, ...]

    @property
    def leaks_at_all(self) -> bool:
        """Whether any split has two sides that overlap, even if its protocol admits it."""
        return any(one.audit.leaks_at_all for one in self.splits)


def audit_store(request: AuditRequest) -> StoreAudit:
    """Audit the requested splits on all views of the store, and save them if requested.

    A split that leaks is not saved, unless its protocol admits the overlap.

    Raises
    ------
    UsageError
        If the request contradicts itself, or names files or corpora that do not exist.
    SplitError
        If the store's clips cannot be split under the protocol.
    RunError
        If a file is not a split.
    """
    _require_one_source(request)
    if request.save is not None:
        require_outside(request.save, "--save")
    store = FeatureStore.open(request.store)
    splits = _read_splits(request) or _draw_splits(request, store)
    targets = _targets(request, splits)
    notices = []
    fingerprints = None
    if can_hear(store.spec):
        fingerprints = Fingerprints.of(store, *splits)
    else:
        notices.append("the store holds neither mel nor mfcc: copies under other names were not searched for")
    notices += dict.fromkeys(notice for split in splits for notice in split.notices)
    audited = tuple(
        AuditedSplit(
            split,
            audit(
                split,
                store.manifest,
                _samples(split, store.manifest, len(store.spec.view_names)),
                None if fingerprints is None else fingerprints.across(split),
            ),
        )
        for split in splits
    )
    saved = []
    for one, path in zip(audited, targets, strict=False):
        if one.audit.leaks:
            notices.append(f"{path} was not written: the split leaks")
            continue
        with storage_errors(path):
            write_durably(
                path, (json.dumps(one.split.to_json(), indent=1, ensure_ascii=False) + "\n").encode()
            )
        saved.append(path)
    return StoreAudit(audited, tuple(saved), tuple(notices))


def _require_one_source(request: AuditRequest) -> None:
    made = request.options.given_names or request.seed is not None
    given = [
        name
        for name, is_given in (
            ("--split", request.split is not None),
            ("--run", request.run is not None),
            ("a protocol, recipe, seed or corpora", made),
        )
        if is_given
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} each define the splits; give only one of them")


def _read_splits(request: AuditRequest) -> tuple[Split, ...]:
    if request.split is not None:
        return (Split.read(request.split),)
    if request.run is None:
        return ()
    if (request.run / "split.json").is_file():
        return (Split.read(request.run),)
    folds = [path.parent for path in request.run.glob("fold-*/split.json")]
    if not folds:
        raise UsageError(
            f"{request.run} is not a run folder: it has no split.json; give a folder made by ser-train"
        )
    splits = (Split.read(path) for path in folds)
    return tuple(sorted(splits, key=lambda split: split.fold.index if split.fold else 0))


def _draw_splits(request: AuditRequest, store: FeatureStore) -> tuple[Split, ...]:
    options = request.options
    recipe = load_recipe(options.recipe_name())
    if options.recipe is None:
        recipe = recipe.model_copy(update={"datasets": None, "split": SplitSpec()})
    recipe = override(recipe, options.changes(recipe))
    manifest, asked = store.manifest, options.datasets is not None
    if recipe.datasets is not None:
        held = set(manifest["dataset"])
        if asked or not held & {*recipe.datasets}:
            require_datasets(held, recipe.datasets)
        manifest = manifest[manifest["dataset"].isin(recipe.datasets)]
    views = range(len(store.spec.view_names))
    return splits_of(manifest, recipe.split, request.seed or 0, store.digest, views)


def _targets(request: AuditRequest, splits: Sequence[Split]) -> tuple[Path, ...]:
    """Files to write, one per split. Raises :class:`UsageError` if one exists."""
    if request.save is None:
        return ()
    paths: tuple[Path, ...] = (request.save,)
    if len(splits) > 1:
        paths = tuple(
            request.save.with_name(f"{request.save.stem}-{number}{request.save.suffix or '.json'}")
            for number in range(1, len(splits) + 1)
        )
    existing = [path for path in paths if path.exists()]
    if existing:
        raise UsageError(f"--save {existing[0]}: the file exists; choose another name, or remove it")
    return paths


def _samples(split: Split, manifest: pd.DataFrame, views: int) -> dict[Side, Samples]:
    """Samples that training on all views would read, regardless of labels."""
    samples: dict[Side, Samples] = {}
    for side in SIDES:
        clips, indices = split.view_positions(manifest, side)
        read = Samples(clips, indices, np.zeros_like(clips))
        if split.views is None and side == "train":
            read = cross(clips, read.targets, range(ORIGINAL_VIEW, views))
        samples[side] = read
    return samples
