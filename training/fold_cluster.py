"""Folds trained by the workers of a Dask cluster, each fold a task of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distributed import KilledWorker, as_completed

from featurestore.cluster.client import dask_client
from featurestore.cluster.request import ClusterRequest
from featurestore.places.choose import is_url
from pipelines.machine import usable_cores
from schemas.errors import SerError, WorkerLostError
from training.runs.observer import Observer
from training.runs.request import TrainRequest
from training.runs.series import SeriesFolder


@dataclass(frozen=True)
class FoldAnswer:
    """What a worker has to say of a fold: its headline, or why it failed."""

    number: int
    headline: str = ""
    error: SerError | None = None


def train_folds(
    folder: SeriesFolder,
    numbers: Sequence[int],
    request: TrainRequest,
    cluster: ClusterRequest,
    observer: Observer,
) -> None:
    """Train folds ``numbers`` of ``folder``; store and folder must be at the same place for every worker.

    A fold that fails keeps no other from being trained; the first failure is raised when all are done.
    """
    device = request.hardware.device or "auto"
    threads = max(1, usable_cores() // max(1, cluster.workers)) if cluster.scheduler is None else 0
    shared = SeriesFolder(folder.path.absolute())
    failures: list[SerError] = []
    with dask_client(cluster, device) as client:
        tasks = {
            client.submit(
                train_fold, number, _anywhere(shared.request(number, request)), threads, pure=False
            ): number
            for number in numbers
        }
        observer.notice(f"{len(tasks)} folds go to the workers")
        for future in as_completed(tasks):
            number = tasks[future]
            try:
                answer: FoldAnswer = future.result()
            except KilledWorker as error:
                raise WorkerLostError(
                    f"the workers that trained fold {number} ended by themselves, as they do when memory is "
                    f"short; resume with fewer workers a machine: finished folds are kept"
                ) from error
            if answer.error is not None:
                failures.append(answer.error)
                observer.notice(f"fold {number} failed: {answer.error}")
            else:
                observer.notice(f"fold {number}: {answer.headline}")
    if failures:
        raise failures[0]


def train_fold(number: int, request: TrainRequest, threads: int) -> FoldAnswer:
    """Train one fold in a worker, on ``threads`` threads; 0: as many as torch takes."""
    import torch

    from pipelines.process import keep_freed_memory
    from training.train import train

    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    try:
        result = train(request)
    except SerError as error:
        return FoldAnswer(number, error=error)
    return FoldAnswer(number, headline=result.report.splitlines()[0])


def _anywhere(request: TrainRequest) -> TrainRequest:
    """The same request for a worker in another folder."""
    store = request.store
    if store is not None and not is_url(store):
        store = Path(store).absolute()
    return replace(request, store=store)
