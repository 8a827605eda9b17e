"""A whole search: trials of every fold, then one training and one test of each fold's best configuration.

::

    fold 1   train + validation ──▶ inner folds ──▶ trials ──▶ best ─┐
    fold 2   …                                                       ├─▶ train on train + validation ─▶ test
    fold k   …                                                       ┘

Each fold of the protocol has its own search, because the test speakers of one fold are training speakers of
the others (nested cross-validation: Varma & Simon 2006, doi:10.1186/1471-2105-7-91; Cawley & Talbot 2010). No
test is read before the last trial of the last fold has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from featurestore.cluster.request import ClusterRequest
from featurestore.places.choose import is_url
from featurestore.places.durable import storage_errors
from featurestore.places.partials import sweep_folder
from schemas.errors import RunError, StoppedError, UsageError
from schemas.messages.printable import escape_line
from schemas.model import canonical_digest
from schemas.overrides import override
from schemas.recipe import Recipe
from schemas.search_space import DEFAULT_SPACE, default_space, load_space, require_fits
from training.plan.choice import choose
from training.plan.make import plan
from training.report.search.files import write_search
from training.report.search.result import SearchResult
from training.report.series_summary import AnySummary, summary_of
from training.runs.hashes import require_resumable, take_out_results
from training.runs.observer import Observer
from training.runs.request import TrainRequest, resume_command
from training.runs.run import now, run_name
from training.runs.same_store import open_same_store, recorded_store
from training.runs.series import SeriesRecord
from training.search.fold import FoldSearch
from training.search.folder import SearchFolder, SearchRecord, find_unfinished
from training.search.optuna_library import require_optuna
from training.search.request import SearchRequest
from training.search.runner import open_runner


@dataclass(frozen=True)
class SearchOutcome:
    """A finished search and the summary of its tested folds."""

    folder: SearchFolder
    result: SearchResult
    summary: AnySummary
    problems: tuple[str, ...]
    """A sentence for each page or picture that could not be written."""


def search(
    request: TrainRequest, wanted: SearchRequest | None, cluster: ClusterRequest | None, observer: Observer
) -> SearchOutcome:
    """Search, or continue the search at ``request.resume`` or one that the same request has started.

    ``wanted`` None: as the resumed search. ``cluster``: Dask workers that run one trial each; None: this
    process runs one trial after the other.

    Raises
    ------
    SerError
        What :func:`training.plan.make.plan` raises; :class:`UsageError` for a space that does not suit the
        recipe, a regression, leaked views, or without Optuna; :class:`RunError` if another process is
        searching, or every configuration fails; :class:`StoppedError` on Ctrl-C.
    """
    request.require_outside_stores()
    require_optuna()
    if request.resume is not None:
        folder = SearchFolder(request.resume)
        for sentence in require_resumable(folder.path):
            observer.notice(sentence)
    elif wanted is None:
        raise UsageError("a new search needs a space; give --search")
    else:
        folder = _open_folder(request, wanted, observer)
    again = resume_command(folder.path, request.store, explain=request.explain)
    with _lock(folder, again):
        try:
            return _search(folder, request, cluster, observer)
        except (StoppedError, KeyboardInterrupt):
            raise StoppedError(f"stopped; finished trials are kept; resume with: {again}") from None


def _open_folder(request: TrainRequest, wanted: SearchRequest, observer: Observer) -> SearchFolder:
    """Create the folder of a new search, or find that of an unfinished search for the same request."""
    if request.recipe is not None:
        _require_searchable(override(request.recipe, request.changes))
    choice = choose(request)
    recipe = choice.recipe
    source = default_space(recipe) if wanted.space == DEFAULT_SPACE else wanted.space
    space = load_space(source)
    require_fits(space, recipe, source)
    folds, splits = choice.folds, choice.splits
    if request.fold is not None:
        plan(request)  # names the folds if there is no such one
        folds, splits = (folds[request.fold - 1],), (splits[request.fold - 1],)
    series = SeriesRecord(
        created=now(),
        recipe=recipe,
        recipe_source=request.recipe_source and escape_line(request.recipe_source),
        seed=request.seed or 0,
        store=recorded_store(choice.store_path),
        store_digest=choice.store.digest,
        folds=folds,
    )
    record = SearchRecord(
        space=space,
        space_source=escape_line(Path(source).name),
        trials=wanted.trials,
        inner_folds=wanted.inner_folds,
        splits=tuple(canonical_digest(split.to_json()) for split in splits),
        fold=request.fold,
    )
    root = request.output or Path("runs")
    found = find_unfinished(root, series, record)
    if found is not None:
        observer.notice(f"continues the unfinished search in {found.path}")
        return found
    name = f"{run_name(series.created, recipe, recipe.split.protocol, request.recipe)}-search"
    return SearchFolder.create(root, request.name or name, series, record)


def _require_searchable(recipe: Recipe) -> None:
    if recipe.labels.is_regression:
        raise UsageError(
            "--search maximises the UA of classes, but labels.target is regression; train without --search"
        )
    if recipe.train.balance == "corpus":
        raise UsageError(
            "--search does not repeat clips, but train.balance 'corpus' repeats those of smaller corpora; "
            "leave out --search, or set train.balance=none"
        )
    if recipe.split.leak_views:
        raise UsageError(
            "--search needs validation clips that training has not heard, but leaked views put copies of "
            "them on both sides; leave out --leak-views"
        )


@contextmanager
def _lock(folder: SearchFolder, again: str) -> Iterator[None]:
    """Keep other processes out of the search."""
    lock = FileLock(folder.path / ".lock")
    with storage_errors(folder.path, retry=f"run {again}"):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(f"another process is searching in {folder.path}; wait for it to end") from None
    try:
        yield
    finally:
        lock.release()


def _search(
    folder: SearchFolder, request: TrainRequest, cluster: ClusterRequest | None, observer: Observer
) -> SearchOutcome:
    series, record = folder.series.record(), folder.record()
    open_same_store(folder.path, request.store, series.store, series.store_digest)
    store = request.store or series.store or ""
    given = replace(request, store=store if is_url(store) else Path(store).absolute())
    observer.notice(f"search folder: {folder.path}")
    folds = [FoldSearch(folder, number, given, observer) for number in range(1, len(series.folds) + 1)]
    with open_runner(cluster, request.hardware.device or "auto") as runner:
        for fold in folds:
            fold.run_trials(runner)
    searched = [fold.test() for fold in folds]
    with storage_errors(folder.path, retry=f"run {resume_command(folder.path, request.store)}"):
        sweep_folder(folder.path)
        take_out_results(folder.path)
        summary = summary_of([folder.series])
        result = SearchResult(
            claim=summary.claim,
            subject=summary.subject,
            space=record.space_source,
            fields={name: field.described for name, field in record.space.fields.items()},
            inner_folds=folds[0].inner_folds,
            folds=tuple(searched),
        )
        problems = write_search(folder.series, summary, result)
    return SearchOutcome(folder, result, summary, problems)
