"""The plan of a training: what is learnt from which samples, checked before anything is read or written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from featurestore.store import FeatureStore
from pipelines.device import choose_device
from schemas.errors import RunError, SpecError, UsageError
from schemas.labels import label_set
from schemas.recipe import Recipe, first_problem
from training.audit import Audit, audit
from training.requirements import selection_of
from training.run import RunFolder, RunRecord, library_versions, now
from training.samples import ORIGINAL_VIEW, SIDES, Samples, Side, cross
from training.split import Split, speaker_split
from training.targets import NO_CLASS, Targets, targets_of


@dataclass(frozen=True)
class TrainRequest:
    """What to train. None: as the recipe, or the resumed run, has it.

    ``recipe`` and ``store`` are required for a new run. A resumed run keeps its own recipe, overrides
    and seed; it finds its store by itself where that was given as a relative path.
    """

    store: Path | None = None
    recipe: Recipe | None = None
    model: str | None = None
    views: tuple[int, ...] | None = None
    epochs: int | None = None
    batch_size: int | None = None
    seed: int | None = None
    """0 where it is None and the run is new."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["32-true", "bf16-mixed"] | None = None
    """``32-true`` where it is None and the run is new."""
    output: Path = Path("runs")
    """Folder under which a new run gets its folder."""
    resume: Path | None = None
    """Folder of the run to go on with."""


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is decided before the first array is read."""

    store: FeatureStore
    record: RunRecord
    split: Split
    targets: Targets
    samples: dict[Side, Samples]
    audit: Audit

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences about what was left out or is missing."""
        trained = set(np.unique(self.samples["train"].targets))
        absent = [name for i, name in enumerate(self.targets.names) if i not in trained]
        notices = list(self.targets.notices)
        if absent:
            notices.append(f"no training clip is {' or '.join(absent)}: the model cannot learn it")
        if self.split.stratified_by != ("dataset", "gender"):
            within = " and ".join(self.split.stratified_by) or "nothing"
            notices.append(f"there are too few speakers to draw them by corpus and gender; drawn by {within}")
        held, listed = len(self.store.spec.views), len(self.record.recipe.views)
        if held < listed:
            notices.append(
                f"the store holds {held} of the recipe's {listed} augmented views; for all of them, "
                f"build a store with --augment {listed}"
            )
        return tuple(notices)


def plan(request: TrainRequest) -> Plan:
    """Plan of a new or resumed training, with a clean audit.

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


def _new(request: TrainRequest) -> Plan:
    if request.store is None or request.recipe is None:
        raise UsageError("a new run needs a store and a recipe; give both, or a run to resume")
    device = choose_device(request.device)
    recipe = _overridden(request.recipe, request)
    seed = request.seed or 0
    store = FeatureStore.open(request.store)
    selection = selection_of(store, recipe)
    recipe = _updated(recipe, "train", views=selection.views)
    targets = targets_of(store.manifest, label_set(recipe.labels.set), recipe.labels.target)
    split = speaker_split(store.manifest, recipe.split, seed, store.digest)
    samples = _samples(store, split, targets, selection.views)
    record = RunRecord(
        created=now(),
        recipe=recipe,
        seed=seed,
        device="cuda" if device.type == "cuda" else "cpu",
        precision=request.precision or "32-true",
        store=None if request.store.is_absolute() else request.store.as_posix(),
        store_digest=store.digest,
        store_spec=store.spec,
        features=selection.features,
        classes=targets.names,
        versions=library_versions(),
    )
    return Plan(store, record, split, targets, samples, audit(split, store.manifest, samples))


def _resumed(request: TrainRequest, path: Path) -> Plan:
    given = [
        name
        for name in ("recipe", "model", "views", "epochs", "batch_size", "seed", "precision")
        if getattr(request, name) is not None
    ]
    if given:
        raise UsageError(
            f"a resumed run keeps its own recipe and seed; leave out {', '.join(given)}, or start a new run"
        )
    folder = RunFolder.open(path)
    record = folder.record()
    where = request.store or (Path(record.store) if record.store else None)
    if where is None:
        raise UsageError(
            f"the store of {path} was given as an absolute path, which a run does not keep; give --store"
        )
    store = FeatureStore.open(where)
    if store.digest != record.store_digest:
        raise RunError(
            f"store {where} ({store.digest}) is not the one that {path} was trained on "
            f"({record.store_digest}); give that one, or start a new run"
        )
    split = Split.from_json(folder.read_json("split.json"))
    targets = targets_of(store.manifest, label_set(record.recipe.labels.set), record.recipe.labels.target)
    samples = _samples(store, split, targets, record.recipe.train.views or (ORIGINAL_VIEW,))
    return Plan(store, record, split, targets, samples, audit(split, store.manifest, samples))


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
    recipe = _updated(recipe, "train", **wanted)
    return recipe if request.model is None else _updated(recipe, "model", name=request.model)


def _updated(recipe: Recipe, part: str, **values: Any) -> Recipe:  # fields of any type
    """``recipe`` with fields of one of its parts replaced, checked as if they had been read."""
    content = recipe.model_dump()
    content[part].update(values)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise SpecError(f"recipe '{recipe.name}': {first_problem(error)}") from error
