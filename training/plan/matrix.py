"""Plan a matrix: which corpora train and test each cell, and which classes they share.

::

    corpora a, b, c     tested on  a        b        c
        trained on a              within   pair     pair
                   b              pair     within   pair
                   c              pair     pair     within
          all others              rest     rest     rest       from three corpora on

Every cell is planned as it will be trained, before the first one is. A pair that cannot be trained, such as
one with fewer than two common classes, is refused with a reason, and the others are trained.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from featurestore.store import FeatureStore
from schemas.architecture import LinearSpec
from schemas.clip import Status
from schemas.errors import LeakageError, RunError, SerError, SplitError, UsageError
from schemas.messages.counts import format_count
from schemas.recipe import Recipe
from training.plan.choice import Choice, choose_input
from training.plan.make import plan
from training.runs.matrix import CHANGE_OF_STEP, CellKind, MatrixCell, MatrixRecord
from training.runs.request import Step, TrainRequest
from training.runs.run import now
from training.runs.same_store import recorded_store
from training.samples.targets import candidates
from training.splits.people import Person, people_of

FEWEST_CLASSES = 2
"""Fewest classes that training and test of a cell must share."""

_OF_THE_CELL = (RunError, SplitError, LeakageError)
"""Errors that concern one cell; a usage error concerns all of them."""


def plan_matrix(request: TrainRequest, steps: Sequence[Step] = ()) -> tuple[MatrixRecord, Choice]:
    """Plan all cells of a new matrix of the corpora of the store, or of the recipe's.

    With ``steps``, each cell that a step changes is planned again with it. Returns the record, and the store
    and the recipe that were chosen.

    Raises
    ------
    UsageError
        If there are fewer than two corpora, the target is a regression, the recipe names views or corpora of
        a split, or a step changes no cell.
    RunError, SplitError, LeakageError
        If no cell can be trained: the reason of the first one.
    """
    choice = choose_input(request)
    recipe, store = choice.recipe, choice.store
    if recipe.labels.is_regression:
        raise UsageError(
            "--matrix compares the UA of classes, but labels.target is regression; choose another target"
        )
    _require_own_split(recipe)
    corpora = _corpora(store, recipe)
    for step in steps:
        _require_change(recipe, step, corpora)
    cells, errors = _plan_cells(request, choice, corpora, steps)
    if errors and not any(cell.folds for cell in cells):
        raise errors[0]
    record = MatrixRecord(
        created=now(),
        recipe=recipe,
        recipe_source=request.recipe_source,
        seed=request.seed or 0,
        store=recorded_store(choice.store_path),
        store_digest=store.digest,
        corpora=corpora,
        steps=tuple(steps),
        cells=tuple(cells),
    )
    return record, choice


def _corpora(store: FeatureStore, recipe: Recipe) -> tuple[str, ...]:
    """Corpora of the matrix, sorted: those of the store that the recipe names."""
    wanted = set(recipe.datasets or store.document.datasets)
    found = tuple(sorted(wanted & set(store.document.datasets)))
    if len(found) < 2:
        raise UsageError(
            f"--matrix needs at least two corpora, but there is only {', '.join(found)}; build a store with "
            f"another corpus, or name more with --datasets"
        )
    return found


def _require_own_split(recipe: Recipe) -> None:
    """Raise :class:`UsageError` for a split that the cells of a matrix, which have their own, would drop."""
    split = recipe.split
    for name, given in (
        ("leak_views", "true" if split.leak_views else ""),
        ("train_corpora", " and ".join(split.train_corpora)),
        ("test_corpora", " and ".join(split.test_corpora)),
    ):
        if given:
            raise UsageError(
                f"split.{name} is {given}, but each cell of --matrix has its own split; leave out one of them"
            )


def _require_change(recipe: Recipe, step: Step, corpora: Sequence[str]) -> None:
    """Raise :class:`UsageError` for a step that would change nothing."""
    already = recipe.input.within == "corpus" if step == "normalise" else recipe.train.balance == "corpus"
    if already:
        raise UsageError(
            f"--steps {step} compares the recipe with and without {CHANGE_OF_STEP[step]}, but the recipe has "
            f"it already; leave one of them out"
        )
    if step == "balance" and len(corpora) < 3:
        raise UsageError(
            "--steps balance needs at least three corpora: with two, each cell trains on a single corpus; "
            "leave it out"
        )
    linear = isinstance(recipe.model, LinearSpec)
    if step == "normalise" and recipe.input.representation == "frames" and not linear:
        raise UsageError(
            f"--steps normalise applies to functionals and embeddings, but model {recipe.model.name} reads "
            f"frames; choose a model such as functionals, or leave it out"
        )


@dataclass(frozen=True)
class _Corpora:
    """What the manifest says about the corpora of a matrix."""

    classes: dict[str, tuple[str, ...]]
    """Emotions of each corpus that the label set keeps."""
    people: dict[str, int]
    """Number of persons of each corpus."""
    shared: dict[frozenset[str], Person]
    """A person of both corpora, by pair of corpora."""


def _plan_cells(
    request: TrainRequest, choice: Choice, corpora: Sequence[str], steps: Sequence[Step]
) -> tuple[list[MatrixCell], list[SerError]]:
    """All cells, the plain ones first, and the errors of those that are refused."""
    known = _look_at(choice, corpora)
    cells: list[MatrixCell] = []
    errors: list[SerError] = []
    for step in (None, *steps):
        for kind, train, test in _layout(corpora):
            if step == "balance" and kind != "rest":
                continue
            cell = _cell(choice.recipe, known, kind, train, test, step)
            if cell.refused is None:
                cell, error = _try(request, choice, cell)
                errors += [] if error is None else [error]
            else:
                errors.append(RunError(f"no cell of the matrix can be trained; {cell.name}: {cell.refused}"))
            cells.append(cell)
    return cells, errors


def _layout(corpora: Sequence[str]) -> list[tuple[CellKind, tuple[str, ...], str]]:
    """Kind, training corpora and test corpus of each cell, row by row."""
    cells: list[tuple[CellKind, tuple[str, ...], str]] = [
        ("within" if train == test else "pair", (train,), test) for train in corpora for test in corpora
    ]
    if len(corpora) > 2:
        cells += [("rest", tuple(name for name in corpora if name != test), test) for test in corpora]
    return cells


def _look_at(choice: Choice, corpora: Sequence[str]) -> _Corpora:
    recipe, manifest = choice.recipe, choice.store.manifest
    rule = recipe.labels.label_set().rule
    found = candidates(manifest, recipe.where, corpora)
    usable = manifest[(manifest["status"] == Status.OK) & manifest["dataset"].isin(corpora)]
    people = people_of(usable.reset_index(drop=True))
    return _Corpora(
        classes={name: _emotions(found[found["dataset"] == name], rule) for name in corpora},
        people={name: sum(name in _corpora_of(person) for person in people) for name in corpora},
        shared={
            frozenset((one, two)): person
            for person in people
            for one in _corpora_of(person)
            for two in _corpora_of(person)
            if one < two
        },
    )


def _emotions(clips: pd.DataFrame, rule: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(set(clips["emotion"]) & set(rule)))


def _corpora_of(person: Person) -> set[str]:
    return {speaker.partition("/")[0] for speaker in person.speakers}


def _cell(
    recipe: Recipe, known: _Corpora, kind: CellKind, train: tuple[str, ...], test: str, step: Step | None
) -> MatrixCell:
    """One cell before its splits are drawn; refused if the manifest alone shows that it cannot be trained."""
    remarks = []
    if kind == "rest":
        sharing = [name for name in train if frozenset((name, test)) in known.shared]
        train = tuple(name for name in train if name not in sharing)
        remarks = [
            f"{name} is not trained on: it shares speakers or recordings with {test}" for name in sharing
        ]
    labels = _shared_labels(recipe, known, train, test)
    cell = MatrixCell(
        kind=kind, train=train, test=test, step=step, labels=labels, folds=1, remarks=tuple(remarks)
    )
    if kind == "within":
        if known.people[test] < 2:
            return _refuse(cell, f"{test} has one speaker, and a speaker-independent test needs two")
        cell = cell.model_copy(update={"folds": min(recipe.split.folds, known.people[test])})
    elif kind == "pair" and (person := known.shared.get(frozenset((*train, test)))):
        return _refuse(
            cell, f"{person.name} are one person or share a recording, which would be on both sides"
        )
    elif not train:
        return _refuse(cell, f"every other corpus shares speakers or recordings with {test}")
    if len(cell.classes) < FEWEST_CLASSES:
        shared = ", ".join(cell.classes) or "none of the label set's"
        whose = f"{test} has" if kind == "within" else f"{' and '.join(train)} and {test} share"
        return _refuse(cell, f"{whose} {format_count(len(cell.classes), 'class', 'classes')}: {shared}")
    return cell


def _shared_labels(recipe: Recipe, known: _Corpora, train: Sequence[str], test: str) -> dict[str, str]:
    """Emotion → class of the corpora's emotions, for the classes of both sides, in the label set's order."""
    labels = recipe.labels.label_set()
    trained = {emotion for name in train for emotion in known.classes[name]}
    tested = set(known.classes[test])
    shared = {labels.rule[emotion] for emotion in trained} & {labels.rule[emotion] for emotion in tested}
    return {
        emotion: name
        for name in labels.classes
        if name in shared
        for emotion in sorted(trained | tested)
        if labels.rule[emotion] == name
    }


def _try(request: TrainRequest, choice: Choice, cell: MatrixCell) -> tuple[MatrixCell, SerError | None]:
    """Plan every run of a cell; refused with the reason if one cannot be planned."""
    own = replace(
        request,
        matrix=None,
        recipe=cell.recipe(choice.recipe),
        changes=(),
        recipe_source=request.recipe_source or choice.recipe.name,
    )
    try:
        for fold in range(1, cell.folds + 1):
            plan(replace(own, fold=fold if cell.folds > 1 else None))
    except _OF_THE_CELL as error:
        return _refuse(cell, str(error)), error
    return cell, None


def _refuse(cell: MatrixCell, why: str) -> MatrixCell:
    return cell.model_copy(update={"folds": 0, "refused": why})
