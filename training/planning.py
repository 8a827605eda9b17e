"""Planning a training: a new one from store, recipe and protocol, or one that was stopped from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from featurestore.places.choose import is_url
from featurestore.store import FeatureStore
from pipelines.device import choose_device
from schemas.errors import DeviceError, RunError, StoreNotFoundError, UsageError
from schemas.labels import label_set
from schemas.overrides import overridden
from schemas.recipe import Recipe
from training.audits.audit import audit
from training.audits.near_duplicates import near_duplicates
from training.functionals.speaker import require_whole_speakers
from training.options import require_untouched
from training.plan import Plan
from training.request import TrainRequest
from training.requirements import Selection, selection_of
from training.run import RunFolder, RunRecord, library_versions, now, require_no_store
from training.samples import ORIGINAL_VIEW, samples_of
from training.splits.choose import splits_of
from training.splits.split import Split
from training.targets import Targets, targets_of


def plan(request: TrainRequest) -> Plan:
    """Plan of a new or resumed training, with an audit that found no leak.

    Raises
    ------
    UsageError
        If the request contradicts itself.
    RunError
        If the store does not fit the recipe or the run, or a side has no clip.
    SplitError, LeakageError
        If there is no clean split.
    """
    planned = _new(request) if request.resume is None else _resumed(request, request.resume)
    planned.audit.require_clean()
    return planned


@dataclass(frozen=True, eq=False)
class Choice:
    """What a new training comes to: a recipe with its changes, what is read, and the protocol's splits."""

    store: FeatureStore
    place: str | Path
    """Where the store is, as it was given."""
    recipe: Recipe
    """With its changes, ``train.views`` spelt out."""
    remarks: tuple[str, ...]
    """Sentences about what the store lacks of the recipe."""
    selection: Selection
    splits: tuple[Split, ...]

    @property
    def folds(self) -> tuple[str, ...]:
        """Names of the splits, in order."""
        return tuple(split.fold.name if split.fold else split.protocol for split in self.splits)


def chosen(request: TrainRequest) -> Choice:
    """What a new training comes to. Raises what :func:`plan` raises."""
    if request.store is None or request.recipe is None:
        raise UsageError("a new run needs a store and a recipe; give both, or a run to resume")
    recipe = overridden(request.recipe, request.changes)
    store = FeatureStore.open(request.store)
    if any(change.startswith("datasets=") for change in request.changes):
        _require_datasets(store, recipe)
    selection = selection_of(store, recipe, request.recipe_source or recipe.name)
    remarks = (*_missing_views(store, recipe), *_missing_datasets(store, recipe))
    recipe = overridden(recipe, [f"train.views={list(selection.views)}", *_any_dataset(store, recipe)])
    if request.split is not None:
        split = Split.read(request.split)
        split.require_unchanged(store.manifest)
        _require_normalisable(store, recipe, (split,))
        return Choice(store, request.store, recipe, remarks, selection, (split,))
    manifest = store.manifest
    if recipe.datasets is not None:
        manifest = manifest[manifest["dataset"].isin(recipe.datasets)]
    splits = splits_of(manifest, recipe.split, request.seed or 0, store.digest, selection.views)
    _require_normalisable(store, recipe, splits)
    return Choice(store, request.store, recipe, remarks, selection, splits)


def _require_normalisable(store: FeatureStore, recipe: Recipe, splits: tuple[Split, ...]) -> None:
    if recipe.input.normalise == "speaker":
        require_whole_speakers(store.manifest, splits)


def _new(request: TrainRequest) -> Plan:
    device = choose_device(request.hardware.device or "auto")
    _require_gpu_for_graphs(request, device)
    require_no_store(request.output or Path("runs"))
    choice = chosen(request)
    store, recipe, selection = choice.store, choice.recipe, choice.selection
    split = _fold(choice.splits, request.fold)
    record = RunRecord(
        created=now(),
        recipe=recipe,
        seed=request.seed or 0,
        device="cuda" if device.type == "cuda" else "cpu",
        threads=torch.get_num_threads(),
        store=recorded_store(choice.place),
        store_digest=store.digest,
        store_spec=store.spec,
        features=selection.features,
        classes=label_set(recipe.labels.set).class_names(recipe.labels.target),
        heard=_heard(store, split),
        versions=library_versions(),
    )
    option = None if _is_relative(choice.place) else choice.place
    return _planned(store, option, record, split, request, device, choice.remarks)


def _heard(store: FeatureStore, split: Split) -> tuple[str, ...]:
    manifest = store.manifest
    heard = manifest["clip_id"].isin([*split.train, *split.validation])
    return tuple(sorted(manifest["speaker"][heard].unique()))


def _fold(splits: tuple[Split, ...], fold: int | None) -> Split:
    if fold is None:
        if len(splits) > 1:
            raise UsageError(
                f"the protocol has {len(splits)} folds; choose one with --fold, or train them all"
            )
        return splits[0]
    if not 1 <= fold <= len(splits):
        has = f"folds 1 to {len(splits)}" if len(splits) > 1 else "one split and no folds; leave --fold out"
        raise UsageError(f"--fold {fold}: the protocol has {has}")
    return splits[fold - 1]


def _require_gpu_for_graphs(request: TrainRequest, device: torch.device) -> None:
    """Raise :class:`DeviceError` where CUDA graphs are asked for and no GPU is to run them."""
    if request.hardware.cuda_graphs and device.type != "cuda":
        raise DeviceError(f"--cuda-graphs is for a GPU, and this trains on {device.type}; leave it out")


def _resumed(request: TrainRequest, path: Path) -> Plan:
    kept = {"recipe": request.recipe, "fold": request.fold, "split": request.split, "seed": request.seed}
    require_untouched(request.changes, **kept, out=request.output)
    folder = RunFolder.open(path)
    record = folder.record()
    store = same_store(path, request.store, record.store, record.store_digest)
    split = Split.from_json(folder.read_json("split.json"))
    names = label_set(record.recipe.labels.set).class_names(record.recipe.labels.target)
    if names != record.classes:
        raise RunError(
            f"{path} was trained on the classes {', '.join(record.classes)}, and label set "
            f"'{record.recipe.labels.set}' now has {', '.join(names)}; start a new run"
        )
    device = choose_device(request.hardware.device or record.device)
    _require_gpu_for_graphs(request, device)
    return _planned(store, request.store, record, split, request, device, _changes(record, device))


def _planned(
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
            "train.view_sampling 'one' draws among all views of a clip, and with leaked views they are on "
            "several sides; give --set train.view_sampling=all"
        )
    targets = targets_for(store, recipe)
    samples = samples_of(split, store.manifest, targets, recipe.train.views or (ORIGINAL_VIEW,))
    return Plan(
        store=store,
        store_option=store_option,
        record=record,
        split=split,
        targets=targets,
        samples=samples,
        audit=audit(
            split, store.manifest, samples, near_duplicates(store, split), recipe.split.near_duplicates
        ),
        device=device,
        hardware=request.hardware,
        remarks=remarks,
    )


def targets_for(store: FeatureStore, recipe: Recipe) -> Targets:
    """Class of every clip of ``store`` under ``recipe``."""
    labels = recipe.labels
    return targets_of(store.manifest, label_set(labels.set), labels.target, recipe.where, recipe.datasets)


def recorded_store(store: str | Path) -> str | None:
    """Name of a store that a run may keep: a relative path, which tells nothing of the machine."""
    return Path(store).as_posix() if _is_relative(store) else None


def _is_relative(store: str | Path) -> bool:
    """Whether a run may keep the name of its store: it tells nothing of the machine."""
    return not is_url(store) and not Path(store).is_absolute()


def same_store(path: Path, given: str | Path | None, recorded: str | None, digest: str) -> FeatureStore:
    """Open the store of the run at ``path``: the one given, else where the run says that it is.

    Raises :class:`UsageError` where neither is known, :class:`RunError` for another store.
    """
    if given is None and recorded is None:
        raise UsageError(
            f"the store of {path} was given as an absolute path or a URL, which a run does not keep; "
            "give --store"
        )
    if given is None and not Path(recorded or "").exists():
        raise StoreNotFoundError(
            f"the run was started with --store {recorded}, and there is none in this folder; "
            "go to the folder where it was started, or give --store"
        )
    where = recorded if given is None else given
    store = FeatureStore.open(where or "")
    if store.digest != digest:
        raise RunError(
            f"store {where} ({store.digest}) is not the one that {path} was trained on ({digest}); give "
            "that one, or start a new run"
        )
    return store


def _changes(record: RunRecord, device: torch.device) -> tuple[str, ...]:
    """Sentences about what a run finds changed when it is resumed."""
    now_installed = library_versions()
    changed = [
        f"{name} {version} (now {now_installed.get(name, 'unknown')})"
        for name, version in record.versions.items()
        if now_installed.get(name) != version
    ]
    remarks = []
    if changed:
        remarks.append(f"the run was started with {', '.join(changed)}: it may end a little otherwise")
    if device.type != record.device:
        remarks.append(
            f"the run was started on {record.device} and goes on with {device.type}: "
            "it may end a little otherwise"
        )
    return tuple(remarks)


def _missing_views(store: FeatureStore, recipe: Recipe) -> tuple[str, ...]:
    """A sentence where all of the store's views are read, and the recipe lists more."""
    held, listed = len(store.spec.views), len(recipe.views)
    if recipe.train.views is not None or held >= listed:
        return ()
    sentence = (
        f"the store holds {held} of the recipe's {listed} augmented views; for all of them, "
        f"build a store with --augment {listed}"
    )
    return (sentence,)


def _missing_datasets(store: FeatureStore, recipe: Recipe) -> tuple[str, ...]:
    """A sentence where the store lacks corpora that the recipe trains on."""
    held = sorted(store.document.datasets)
    wanted = recipe.datasets or ()
    absent = [name for name in wanted if name not in held]
    if not absent:
        return ()
    if len(absent) == len(wanted):
        return (f"the store has none of the recipe's corpora ({', '.join(wanted)}); all of it is used",)
    return (f"the recipe trains on {', '.join(wanted)}; the store lacks {', '.join(absent)}",)


def _require_datasets(store: FeatureStore, recipe: Recipe) -> None:
    """Raise :class:`UsageError` where corpora were asked for by name that the store lacks."""
    held = sorted(store.document.datasets)
    absent = [name for name in recipe.datasets or () if name not in held]
    if absent:
        raise UsageError(
            f"the store has no corpus {' or '.join(absent)}; it has {', '.join(held)}: choose of them with "
            "--datasets"
        )


def _any_dataset(store: FeatureStore, recipe: Recipe) -> tuple[str, ...]:
    """The change that lets a recipe train on a store that holds none of its corpora, such as one's own."""
    return () if {*(recipe.datasets or ())} & {*store.document.datasets} else ("datasets=null",)
