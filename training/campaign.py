"""All of a ``ser-train`` command: one run, a series of folds and its summary, or a cross-corpus matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from featurestore.cluster.request import ClusterRequest
from schemas.errors import UsageError
from schemas.messages.printable import escape_line
from training.loop.ranks import is_one_of_several
from training.plan.choice import Choice, choose
from training.plan.matrix import plan_matrix
from training.report.files import write_matrix, write_series
from training.report.matrix.read import matrix_of
from training.report.matrix.text import matrix_text, refusals
from training.report.search.text import search_text
from training.report.series_summary import summary_of, summary_text_of
from training.runs.matrix import MatrixFolder
from training.runs.observer import Observer
from training.runs.request import TrainRequest
from training.runs.run import now, run_name
from training.runs.same_store import recorded_store
from training.runs.series import SeriesFolder, SeriesRecord
from training.search.folder import SearchFolder
from training.search.request import SearchRequest
from training.train import require_explainable, train
from training.unfinished import train_unfinished, write_again


@dataclass(frozen=True)
class Outcome:
    """Result of a command, for people and for machines."""

    kind: Literal["run", "series", "search", "matrix"]
    path: Path
    text: str
    values: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the folder under ``run``, ``series``, ``search`` or ``matrix``."""
        return {self.kind: str(self.path), **self.values}


def train_all(
    request: TrainRequest,
    cluster: ClusterRequest | None,
    observer: Observer,
    wanted: SearchRequest | None = None,
) -> Outcome:
    """Train every fold of the protocol, or one run if a fold is chosen or the protocol has only one split.

    With ``request.matrix``, or if a matrix is resumed, train every cell of a cross-corpus matrix.

    ``cluster``: Dask workers that train one run each; None: this process trains run after run. ``wanted``:
    search the configuration of each fold first; the workers then run one trial each.

    Raises
    ------
    SerError
        What :func:`training.train.train` raises; :class:`UsageError` if workers are given without folds.
    """
    request.require_outside_stores()
    if wanted is not None or (request.resume is not None and SearchFolder.is_one(request.resume)):
        return _search(request, wanted, cluster, observer)
    if request.resume is not None and SeriesFolder.is_one(request.resume):
        return _train_series(SeriesFolder(request.resume), request, cluster, observer)
    if request.resume is not None and MatrixFolder.is_one(request.resume):
        return _train_matrix(MatrixFolder(request.resume), request, cluster, observer)
    if request.matrix is not None:
        return _train_matrix(_create_matrix(request, observer), request, cluster, observer)
    if request.resume is None and request.fold is None and request.split is None:
        choice = choose(request)
        if len(choice.splits) > 1:
            _require_one_process()
            if request.explain:
                require_explainable(choice.recipe)
            return _train_series(_create_series(request, choice), request, cluster, observer)
    if cluster is not None:
        raise UsageError(
            "workers train folds in parallel, but there is only one fold; leave out --workers and --scheduler"
        )
    result = train(request, observer)
    return Outcome("run", result.folder.path, result.report, result.to_json())


def _search(
    request: TrainRequest, wanted: SearchRequest | None, cluster: ClusterRequest | None, observer: Observer
) -> Outcome:
    _require_one_process()
    from training.search.search import search

    found = search(request, wanted, cluster, observer)
    for problem in found.problems:
        observer.notice(problem)
    return Outcome("search", found.folder.path, search_text(found.result), found.result.to_json())


def _require_one_process() -> None:
    if is_one_of_several():
        raise UsageError(
            "torchrun trains a single model with several processes; choose one fold with --fold, and leave "
            "out --search"
        )


def _create_series(request: TrainRequest, choice: Choice) -> SeriesFolder:
    record = SeriesRecord(
        created=now(),
        recipe=choice.recipe,
        recipe_source=request.recipe_source and escape_line(request.recipe_source),
        seed=request.seed or 0,
        store=recorded_store(choice.store_path),
        store_digest=choice.store.digest,
        folds=choice.folds,
    )
    name = request.name or run_name(
        record.created, record.recipe, record.recipe.split.protocol, request.recipe
    )
    return SeriesFolder.create(request.output or Path("runs"), name, record)


def _train_series(
    folder: SeriesFolder, request: TrainRequest, cluster: ClusterRequest | None, observer: Observer
) -> Outcome:
    """Train the unfinished folds of ``folder`` and summarise all of them."""
    record = folder.record()
    if request.explain:
        require_explainable(record.recipe)
    train_unfinished(folder, (record.store, record.store_digest), request, cluster, observer)
    with write_again(folder, request):
        summary = summary_of([folder])
        for problem in write_series(folder, summary):
            observer.notice(problem)
    return Outcome("series", folder.path, summary_text_of(summary), summary.to_json())


def _create_matrix(request: TrainRequest, observer: Observer) -> MatrixFolder:
    _require_one_process()
    record, choice = plan_matrix(request, request.matrix.steps if request.matrix is not None else ())
    for sentence in (*choice.remarks, *refusals(record)):
        observer.notice(sentence)
    name = request.name or run_name(record.created, record.recipe, "matrix", request.recipe)
    return MatrixFolder.create(request.output or Path("runs"), name, record)


def _train_matrix(
    folder: MatrixFolder, request: TrainRequest, cluster: ClusterRequest | None, observer: Observer
) -> Outcome:
    """Train the unfinished runs of all cells of ``folder`` and compare the cells."""
    record = folder.record()
    train_unfinished(folder, (record.store, record.store_digest), request, cluster, observer)
    with write_again(folder, request):
        matrix = matrix_of(folder)
        for problem in write_matrix(folder, matrix):
            observer.notice(problem)
    return Outcome("matrix", folder.path, matrix_text(matrix), matrix.to_json())
