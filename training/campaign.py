"""All of a ``ser-train`` command: one run, or a series of folds and its summary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from featurestore.cluster.request import ClusterRequest
from featurestore.places.durable import storage_errors
from featurestore.places.partials import sweep_folder
from schemas.errors import StoppedError, UsageError
from schemas.messages.printable import escape_line
from training.loop.ranks import is_one_of_several
from training.plan.choice import Choice, choose
from training.report.files import write_series
from training.report.series_explanation import is_explained
from training.report.series_summary import summary_of, summary_text_of
from training.runs.hashes import notes_on_hashes, require_resumable, take_out_results
from training.runs.observer import Observer
from training.runs.request import TrainRequest, resume_command
from training.runs.run import RunFolder, now, run_name
from training.runs.same_store import open_same_store, recorded_store
from training.runs.series import SeriesFolder, SeriesRecord
from training.train import require_explainable, train


@dataclass(frozen=True)
class Outcome:
    """Result of a command, for people and for machines."""

    kind: Literal["run", "series"]
    path: Path
    text: str
    values: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the folder under ``run`` or ``series``."""
        return {self.kind: str(self.path), **self.values}


def train_all(request: TrainRequest, cluster: ClusterRequest | None, observer: Observer) -> Outcome:
    """Train every fold of the protocol, or one run if a fold is chosen or the protocol has only one split.

    ``cluster``: Dask workers that train one fold each; None: this process trains fold after fold.

    Raises
    ------
    SerError
        What :func:`training.train.train` raises; :class:`UsageError` if workers are given without folds.
    """
    request.require_outside_stores()
    if request.resume is not None and SeriesFolder.is_one(request.resume):
        return _train_series(SeriesFolder(request.resume), request, cluster, observer)
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


def _require_one_process() -> None:
    if is_one_of_several():
        raise UsageError("torchrun trains a single model with several processes; choose one fold with --fold")


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
    for sentence in (*require_resumable(folder.path), *notes_on_hashes([folder.path])):
        observer.notice(sentence)
    record = folder.record()
    for number in range(1, len(record.folds) + 1):
        if folder.is_finished(number):
            RunFolder.open(folder.fold(number))
    open_same_store(folder.path, request.store, record.store, record.store_digest)
    numbers = range(1, len(record.folds) + 1)
    if request.explain:
        require_explainable(record.recipe)
    todo = [
        number
        for number in numbers
        if not folder.is_finished(number) or (request.explain and not is_explained(folder, number))
    ]
    resume = resume_command(folder.path, request.store, explain=request.explain)
    try:
        if cluster is None:
            for number in todo:
                fold = f"fold {number} of {len(record.folds)}"
                name = record.folds[number - 1]
                observer.notice(fold if name == str(number) else f"{fold}: {name}")
                result = train(folder.request(number, request), observer)
                observer.notice(f"{fold}: {result.report.splitlines()[0]}")
        else:
            from training.fold_cluster import train_folds

            train_folds(folder, todo, request, cluster, observer)
    except (StoppedError, KeyboardInterrupt):
        raise StoppedError(f"stopped; resume with: {resume}") from None
    with storage_errors(folder.path, retry=f"run {resume}"):
        sweep_folder(folder.path)
        take_out_results(folder.path)
        summary = summary_of([folder])
        for problem in write_series(folder, summary):
            observer.notice(problem)
    return Outcome("series", folder.path, summary_text_of(summary), summary.to_json())
