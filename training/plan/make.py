"""Plan a new training from store, recipe and protocol, or a resumed one from its run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from featurestore.store import FeatureStore
from pipelines.device import choose_device
from pipelines.process import torch_threads
from schemas.errors import DeviceError, RunError, UsageError
from schemas.recipe import Recipe
from training.audits.audit import audit
from training.audits.near_duplicates import near_duplicates
from training.plan.choice import choose
from training.plan.plan import Plan
from training.runs.options import require_untouched
from training.runs.request import TrainRequest
from training.runs.run import DimensionScale, RunFolder, RunRecord, library_versions, now
from training.runs.same_store import is_relative, open_same_store, recorded_store
from training.samples.balance import balance_corpora
from training.samples.dimensions import DimensionTargets, dimension_targets
from training.samples.samples import AnyTargets, Samples, samples_of
from training.samples.targets import targets_of
from training.samples.without_values import imported_values
from training.splits.side import ORIGINAL_VIEW
from training.splits.split import Split


def plan(request: TrainRequest) -> Plan:
    """Plan a new or resumed training, and require an audit without leaks.

    Raises
    ------
    UsageError
        If the request contradicts itself, or would write into a store.
    RunError
        If the store does not fit the recipe or the run, if a side has no clips, or if all training clips are
        of one class, or have the same value of a dimension.
    SplitError, LeakageError
        If there is no split, or if the split leaks.
    """
    request.require_outside_stores()
    planned = _plan_new(request) if request.resume is None else _plan_resumed(request, request.resume)
    planned.audit.require_clean()
    return planned


def _plan_new(request: TrainRequest) -> Plan:
    device = choose_device(request.hardware.device or "auto")
    _require_gpu_for_graphs(request, device)
    choice = choose(request)
    store, recipe, selection = choice.store, choice.recipe, choice.selection
    split = _choose_fold(choice.splits, request.fold)
    record = RunRecord(
        created=now(),
        recipe=recipe,
        seed=request.seed or 0,
        device="cuda" if device.type == "cuda" else "cpu",
        threads=torch_threads(),
        store=recorded_store(choice.store_path),
        store_digest=store.digest,
        store_spec=store.spec,
        features=selection.features,
        classes=_class_names(recipe),
        heard=_training_speakers(store, split),
        versions=library_versions(),
        searched=None if request.searched is None else request.searched.summary,
    )
    option = None if is_relative(choice.store_path) else choice.store_path
    return _make_plan(store, option, record, split, request, device, choice.remarks)


def _training_speakers(store: FeatureStore, split: Split) -> tuple[str, ...]:
    manifest = store.manifest
    heard = manifest["clip_id"].isin([*split.train, *split.validation])
    return tuple(sorted(manifest["speaker"][heard].unique()))


def _choose_fold(splits: tuple[Split, ...], fold: int | None) -> Split:
    if fold is None:
        if len(splits) > 1:
            raise UsageError(
                f"the protocol has {len(splits)} folds; choose one with --fold, or train all of them"
            )
        return splits[0]
    if not 1 <= fold <= len(splits):
        available = f"has folds 1 to {len(splits)}" if len(splits) > 1 else "has no folds; leave out --fold"
        raise UsageError(f"--fold {fold}: the protocol {available}")
    return splits[fold - 1]


def _require_gpu_for_graphs(request: TrainRequest, device: torch.device) -> None:
    """Raise :class:`DeviceError` if CUDA graphs are requested without a GPU."""
    if request.hardware.cuda_graphs and device.type != "cuda":
        raise DeviceError(
            f"--cuda-graphs requires a GPU, but this run trains on {device.type}; leave out --cuda-graphs"
        )


def _plan_resumed(request: TrainRequest, path: Path) -> Plan:
    require_untouched(
        request.changes,
        recipe=request.recipe,
        fold=request.fold,
        split=request.split,
        seed=request.seed,
        out=request.output,
    )
    folder = RunFolder.find(path)
    record = folder.record()
    store = open_same_store(path, request.store, record.store, record.store_digest)
    split = Split.from_json(folder.read_json("split.json"))
    names = _class_names(record.recipe)
    if names != record.classes:
        raise RunError(
            f"{path} was trained on the classes {', '.join(record.classes)}, but label set "
            f"'{record.recipe.labels.set}' now has {', '.join(names)}; start a new run"
        )
    device = choose_device(request.hardware.device or record.device)
    _require_gpu_for_graphs(request, device)
    return _make_plan(store, request.store, record, split, request, device, _resume_remarks(record, device))


def _make_plan(
    store: FeatureStore,
    store_option: str | Path | None,
    record: RunRecord,
    split: Split,
    request: TrainRequest,
    device: torch.device,
    remarks: tuple[str, ...],
) -> Plan:
    recipe = record.recipe
    if split.views is not None and recipe.train.view_sampling == "one":
        raise UsageError(
            "train.view_sampling 'one' draws from all views of a clip, but leaked views put these on several "
            "sides; use --set train.view_sampling=all"
        )
    targets = targets_for(store, recipe)
    samples = samples_of(split, store.manifest, targets, recipe.train.views or (ORIGINAL_VIEW,))
    fitted = samples["train"]
    if record.searched is not None:
        known = clips_outside_the_test(split)
        fitted = samples_of(known, store.manifest, targets, recipe.train.views or (ORIGINAL_VIEW,))["train"]
    if recipe.train.balance == "corpus":
        samples["train"], repeated = balance_corpora(samples["train"], store.manifest, record.seed)
        fitted, repeated_of_fitted = (
            balance_corpora(fitted, store.manifest, record.seed)
            if record.searched is not None
            else (samples["train"], repeated)
        )
        remarks = (*remarks, *repeated_of_fitted)
    if isinstance(targets, DimensionTargets):
        record = record.model_copy(update={"dimensions": _scales(targets, samples["train"])})
    else:
        _require_two_classes(record, samples["train"])
    return Plan(
        store=store,
        store_option=store_option,
        record=record,
        split=split,
        targets=targets,
        samples=samples,
        fitted=fitted,
        audit=audit(
            split, store.manifest, samples, near_duplicates(store, split), recipe.split.near_duplicates
        ),
        device=device,
        hardware=request.hardware,
        remarks=remarks,
    )


def clips_outside_the_test(split: Split) -> Split:
    """The split with its validation clips in training, too."""
    return replace(split, train=tuple(sorted((*split.train, *split.validation))))


def _require_two_classes(record: RunRecord, train: Samples) -> None:
    """Raise :class:`RunError` if all training clips are of one class, which a model would always predict."""
    present = np.unique(train.classes)
    if len(present) == 1:
        raise RunError(
            f"all training clips are of the class '{record.classes[present[0]]}', but a model needs two; "
            f"choose another label set, other corpora, or a store with more emotions"
        )


def _class_names(recipe: Recipe) -> tuple[str, ...]:
    """Names of the classes in index order; none for a regression."""
    labels = recipe.labels
    return () if labels.is_regression else labels.label_set().class_names(labels.target)


def _scales(targets: DimensionTargets, train: Samples) -> tuple[DimensionScale, ...]:
    """How the values of each dimension are standardised: over the training clips, each once.

    Raises :class:`RunError` if all training clips have the same value, which a model would always predict.
    """
    values = targets.values[np.unique(train.clips)]
    for name, column in zip(targets.names, values.T, strict=True):
        if column.min() == column.max():
            raise RunError(
                f"all training clips have the same {name}, {column[0]:g}, but a model needs values that "
                f"differ; choose other dimensions with --set labels.dimensions, or other corpora"
            )
    return tuple(
        DimensionScale(name=name, mean=float(column.mean()), deviation=float(column.std()))
        for name, column in zip(targets.names, values.T, strict=True)
    )


def targets_for(store: FeatureStore, recipe: Recipe) -> AnyTargets:
    """What is learnt of every clip of ``store`` under ``recipe``: its class, or its values.

    Clips without values of the recipe's features have neither.
    """
    labels = recipe.labels
    imported = imported_values(store, [feature.name for feature in recipe.features])
    if labels.is_regression:
        dimensions = labels.dimensions or ()
        return dimension_targets(store.manifest, dimensions, recipe.where, recipe.datasets, imported)
    label_set, target = labels.label_set(), labels.target
    return targets_of(store.manifest, label_set, target, recipe.where, recipe.datasets, imported)


def _resume_remarks(record: RunRecord, device: torch.device) -> tuple[str, ...]:
    """Sentences about changes since a resumed run was started."""
    now_installed = library_versions()
    changed = [
        f"{name} {version} (now {now_installed.get(name, 'unknown')})"
        for name, version in record.versions.items()
        if now_installed.get(name) != version
    ]
    remarks = []
    if changed:
        remarks.append(f"the run was started with {', '.join(changed)}: results may differ slightly")
    if device.type != record.device:
        remarks.append(
            f"the run was started on {record.device} and continues on {device.type}: "
            "results may differ slightly"
        )
    return tuple(remarks)
