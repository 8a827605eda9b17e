"""Train folds, or the runs of a matrix, with the workers of a Dask cluster, one task per run."""

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
from schemas.messages.counts import format_count
from training.runs.observer import Observer
from training.runs.request import TrainRequest
from training.runs.several import SeveralRuns


@dataclass(frozen=True)
class FoldReport:
    """Result of a run from a worker: its headline, or why it failed."""

    number: int
    headline: str = ""
    error: SerError | None = None


def train_folds(
    folder: SeveralRuns,
    numbers: Sequence[int],
    request: TrainRequest,
    cluster: ClusterRequest,
    observer: Observer,
) -> None:
    """Train runs ``numbers`` of ``folder``. Store and folder need the same path on every worker.

    If one fails, the others are still trained; the first failure is raised when all are done.
    """
    device = request.hardware.device or "auto"
    threads = max(1, usable_cores() // max(1, cluster.workers)) if cluster.scheduler is None else 0
    shared = replace(folder, path=folder.path.absolute())
    failures: list[SerError] = []
    with dask_client(cluster, device) as client:
        tasks = {
            client.submit(
                train_fold, number, _with_absolute_store(shared.request(number, request)), threads, pure=False
            ): number
            for number in numbers
        }
        observer.notice(f"sent {format_count(len(tasks), folder.unit)} to the workers")
        for future in as_completed(tasks):
            number = tasks[future]
            try:
                report: FoldReport = future.result()
            except KilledWorker as error:
                raise WorkerLostError(
                    f"the workers training {folder.unit} {number} were lost, probably because memory ran "
                    f"out; resume with fewer workers per machine: finished {folder.unit}s are kept"
                ) from error
            if report.error is not None:
                failures.append(report.error)
                observer.notice(f"{folder.unit} {number} failed: {report.error}")
            else:
                observer.notice(f"{folder.unit} {number}: {report.headline}")
    if failures:
        raise failures[0]


def train_fold(number: int, request: TrainRequest, threads: int) -> FoldReport:
    """Train one run in a worker with ``threads`` threads; 0: as many as torch chooses."""
    import torch

    from pipelines.process import keep_freed_memory
    from training.train import train

    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    try:
        result = train(request)
    except SerError as error:
        return FoldReport(number, error=error)
    return FoldReport(number, headline=result.report.splitlines()[0])


def _with_absolute_store(request: TrainRequest) -> TrainRequest:
    """The same request, for a worker with another working folder."""
    store = request.store
    if store is not None and not is_url(store):
        store = Path(store).absolute()
    return replace(request, store=store)
