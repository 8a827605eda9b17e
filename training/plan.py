"""The plan of a training: what is learnt from which samples, checked before anything is read or written."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import ValidationError

from featurestore.places.choose import is_url
from featurestore.store import FeatureStore
from pipelines.device import choose_device
from schemas.architecture import named_model
from schemas.errors import RunError, SpecError, StoreNotFoundError, UsageError
from schemas.labels import label_set
from schemas.recipe import Recipe, first_problem
from training.audit import Audit, audit
from training.loader.ram import home_of
from training.observer import SideSize
from training.requirements import selection_of
from training.run import RunFolder, RunRecord, library_versions, now
from training.samples import ORIGINAL_VIEW, SIDES, Samples, Side, cross
from training.split import Split, speaker_split
from training.targets import NO_CLASS, Targets, targets_of


@dataclass(frozen=True)
class TrainRequest:
    """What to train. None: as the recipe, or the resumed run, has it.

    ``recipe`` and ``store`` are required for a new run. A resumed run keeps its own recipe, overrides,
    seed and threads; it finds its store by itself where that was given as a relative path.
    """

    store: str | Path | None = None
    """A folder or a URL."""
    recipe: Recipe | None = None
    recipe_source: str | None = None
    """Name or file of the recipe, for messages; its name where it is None."""
    model: str | None = None
    views: tuple[int, ...] | Literal["all"] | None = None
    """Indices, or all of the store's, also where the recipe names some."""
    where: str | None = None
    """Pandas query over the manifest; an empty one takes all clips, also where the recipe has one."""
    epochs: int | None = None
    batch_size: int | None = None
    seed: int | None = None
    """0 where it is None and the run is new."""
    device: Literal["auto", "cpu", "cuda"] | None = None
    """``auto`` where it is None and the run is new."""
    output: Path | None = None
    """Folder under which a new run gets its folder; ``runs`` where it is None."""
    resume: Path | None = None
    """Folder of the run to go on with."""


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is decided before the first array is read."""

    store: FeatureStore
    store_option: str | Path | None
    """What ``--store`` must be given when the run is resumed; None where the run finds its store."""
    record: RunRecord
    split: Split
    targets: Targets
    samples: dict[Side, Samples]
    audit: Audit
    device: torch.device
    home: torch.device
    """Where the samples are kept: the device, or the CPU's memory."""
    remarks: tuple[str, ...]
    """Sentences about how the request met store and run."""

    @property
    def sides(self) -> dict[Side, SideSize]:
        """Clips and speakers that are learnt from or tested on, and samples, of each side."""
        speakers = self.store.manifest["speaker"].to_numpy()
        return {
            side: SideSize(len(np.unique(read.clips)), len(set(speakers[np.unique(read.clips)])), len(read))
            for side, read in self.samples.items()
        }

    def resume_command(self, folder: Path) -> str:
        """Command that goes on with this training in ``folder``."""
        store = f" --store {shlex.quote(str(self.store_option))}" if self.store_option else ""
        return f"ser-train --resume {shlex.quote(str(folder))}{store}"

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences about what was left out or is missing."""
        notices = [*self.targets.notices, *_absent_classes(self.targets.names, self.samples)]
        if self.split.stratified_by != ("dataset", "gender"):
            within = " and ".join(self.split.stratified_by) or "nothing"
            notices.append(f"there are too few speakers to draw them by corpus and gender; drawn by {within}")
        return (*notices, *self.remarks)


def plan(request: TrainRequest) -> Plan:
    """Plan of a new or resumed training, with a clean audit.

    Raises
    ------
    UsageError
        If the request contradicts itself.
    RunError
        If the store does not fit the recipe or the run, a side has no clip, or the samples do not fit
        into memory.
    SplitError, LeakageError
        If there is no clean split.
    """
    planned = _new(request) if request.resume is None else _resumed(request, request.resume)
    planned.audit.require_clean()
    return planned


def _new(request: TrainRequest) -> Plan:
    if request.store is None or request.recipe is None:
        raise UsageError("a new run needs a store and a recipe; give both, or a run to resume")
    device = choose_device(request.device or "auto")
    recipe = _overridden(request.recipe, request)
    seed = request.seed or 0
    store = FeatureStore.open(request.store)
    remarks = _missing_views(store, recipe)
    selection = selection_of(store, recipe, request.recipe_source or recipe.name)
    recipe = _updated(recipe, "train", views=selection.views)
    targets = _targets(store, recipe)
    split = speaker_split(store.manifest, recipe.split, seed, store.digest)
    samples = _samples(store, split, targets, selection.views)
    record = RunRecord(
        created=now(),
        recipe=recipe,
        seed=seed,
        device="cuda" if device.type == "cuda" else "cpu",
        threads=torch.get_num_threads(),
        store=Path(request.store).as_posix() if _is_relative(request.store) else None,
        store_digest=store.digest,
        store_spec=store.spec,
        features=selection.features,
        classes=targets.names,
        versions=library_versions(),
    )
    return Plan(
        store=store,
        store_option=None if _is_relative(request.store) else request.store,
        record=record,
        split=split,
        targets=targets,
        samples=samples,
        audit=audit(split, store.manifest, samples),
        device=device,
        home=home_of(store, samples.values(), selection.features, device),
        remarks=remarks,
    )


def _resumed(request: TrainRequest, path: Path) -> Plan:
    given = [
        name
        for name in ("recipe", "model", "views", "where", "epochs", "batch_size", "seed", "output")
        if getattr(request, name) is not None
    ]
    if given:
        raise UsageError(
            f"a resumed run keeps its own recipe, seed and folder; leave out {_options(given)}, or start "
            "a new run"
        )
    folder = RunFolder.open(path)
    record = folder.record()
    store = FeatureStore.open(
        where := _recorded_store(path, record) if request.store is None else request.store
    )
    if store.digest != record.store_digest:
        raise RunError(
            f"store {where} ({store.digest}) is not the one that {path} was trained on "
            f"({record.store_digest}); give that one, or start a new run"
        )
    split = Split.from_json(folder.read_json("split.json"))
    targets = _targets(store, record.recipe)
    if targets.names != record.classes:
        raise RunError(
            f"{path} was trained on the classes {', '.join(record.classes)}, and label set "
            f"'{record.recipe.labels.set}' now has {', '.join(targets.names)}; start a new run"
        )
    device = choose_device(request.device or record.device)
    samples = _samples(store, split, targets, record.recipe.train.views or (ORIGINAL_VIEW,))
    return Plan(
        store=store,
        store_option=request.store,
        record=record,
        split=split,
        targets=targets,
        samples=samples,
        audit=audit(split, store.manifest, samples),
        device=device,
        home=home_of(store, samples.values(), record.features, device),
        remarks=_changes(record, device),
    )


def _is_relative(store: str | Path) -> bool:
    """Whether a run may keep the name of its store: it tells nothing of the machine."""
    return not is_url(store) and not Path(store).is_absolute()


def _recorded_store(path: Path, record: RunRecord) -> Path:
    """Where the run says that its store is, seen from the current folder."""
    if record.store is None:
        raise UsageError(
            f"the store of {path} was given as an absolute path or a URL, which a run does not keep; "
            "give --store"
        )
    if not Path(record.store).exists():
        raise StoreNotFoundError(
            f"the run was started with --store {record.store}, and there is none in this folder; "
            "go to the folder where it was started, or give --store"
        )
    return Path(record.store)


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


def _absent_classes(names: tuple[str, ...], samples: dict[Side, Samples]) -> list[str]:
    """A sentence for every side that lacks classes; those that training lacks are told once."""
    consequences: dict[Side, str] = {
        "train": "no training clip is {}: the model cannot learn it",
        "validation": "no validation clip is {}: the choice of the best epoch does not regard it",
        "test": "no test clip is {}: UA and macro-F1 are over the other classes",
    }
    told: set[int] = set()
    sentences = []
    for side in SIDES:
        absent = sorted(set(range(len(names))) - set(np.unique(samples[side].targets).tolist()) - told)
        if absent:
            sentences.append(consequences[side].format(" or ".join(names[i] for i in absent)))
        if side == "train":
            told.update(absent)
    return sentences


def _options(names: list[str]) -> str:
    """Fields of a request as the options of ``ser-train``."""
    return ", ".join("--out" if name == "output" else f"--{name.replace('_', '-')}" for name in names)


def _targets(store: FeatureStore, recipe: Recipe) -> Targets:
    labels = recipe.labels
    return targets_of(store.manifest, label_set(labels.set), labels.target, recipe.where)


def _samples(
    store: FeatureStore, split: Split, targets: Targets, views: tuple[int, ...]
) -> dict[Side, Samples]:
    """Samples of each side: training in all ``views``, the others in the original alone."""
    samples: dict[Side, Samples] = {}
    for side in SIDES:
        clips = split.positions(store.manifest, side)
        clips = clips[targets.classes[clips] != NO_CLASS]
        if not len(clips):
            raise RunError(
                f"no clip of the {side} speakers has a class under the recipe's labels; use another label "
                "set, another seed, or a store with more speakers"
            )
        samples[side] = cross(clips, targets.classes[clips], views if side == "train" else (ORIGINAL_VIEW,))
    return samples


def _overridden(recipe: Recipe, request: TrainRequest) -> Recipe:
    wanted: dict[str, Any] = {
        name: value
        for name in ("views", "epochs", "batch_size")
        if (value := getattr(request, name)) is not None
    }
    if request.views == "all":
        wanted["views"] = None
    recipe = _updated(recipe, "train", **wanted)
    if request.where is not None:
        recipe = recipe.model_copy(update={"where": request.where or None})
    return recipe if request.model is None else _with_model(recipe, request.model)


def _with_model(recipe: Recipe, name: str) -> Recipe:
    content = recipe.model_dump()
    content["model"] = named_model({"name": name})
    return Recipe.model_validate(content)


def _updated(recipe: Recipe, part: str, **values: Any) -> Recipe:  # fields of any type
    """``recipe`` with fields of one of its parts replaced, checked as if they had been read."""
    content = recipe.model_dump()
    content[part].update(values)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise SpecError(f"recipe '{recipe.name}': {first_problem(error)}") from error
