"""Train the unfinished runs of a series or matrix: one after the other, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from featurestore.cluster.request import ClusterRequest
from featurestore.places.durable import storage_errors
from featurestore.places.partials import sweep_folder
from schemas.errors import StoppedError
from training.report.series_explanation import is_complete
from training.runs.hashes import notes_on_hashes, require_resumable, take_out_results
from training.runs.observer import Observer
from training.runs.request import TrainRequest, resume_command
from training.runs.run import RunFolder
from training.runs.same_store import open_same_store
from training.runs.several import SeveralRuns
from training.train import train


def train_unfinished(
    folder: SeveralRuns,
    store: tuple[str | None, str],
    request: TrainRequest,
    cluster: ClusterRequest | None,
    observer: Observer,
) -> None:
    """Train the runs of ``folder`` that are not finished; the others are compared with their hashes first.

    ``store``: path and digest of the store, as the folder records them. ``cluster``: Dask workers that train
    one run each; None: this process trains run after run. Raises what :func:`training.train.train` does;
    :class:`StoppedError` on Ctrl-C.
    """
    for sentence in (*require_resumable(folder.path), *notes_on_hashes([folder.path])):
        observer.notice(sentence)
    names = folder.names()
    numbers = range(1, len(names) + 1)
    finished = [number for number in numbers if folder.is_finished(number)]
    for number in finished:
        RunFolder.open(folder.run(number))
    todo = [number for number in numbers if not is_complete(folder, number, explain=request.explain)]
    open_same_store(folder.path, request.store, *store)
    try:
        if cluster is None:
            for number in todo:
                which, name = f"{folder.unit} {number} of {len(names)}", names[number - 1]
                observer.notice(which if name == str(number) else f"{which}: {name}")
                result = train(folder.request(number, request), observer)
                observer.notice(f"{which}: {result.report.splitlines()[0]}")
        elif todo:
            from training.fold_cluster import train_folds

            train_folds(folder, todo, request, cluster, observer)
    except (StoppedError, KeyboardInterrupt):
        resume = resume_command(folder.path, request.store, explain=request.explain)
        raise StoppedError(f"stopped; resume with: {resume}") from None


@contextmanager
def write_again(folder: SeveralRuns, request: TrainRequest) -> Iterator[None]:
    """Within it, the summary of finished runs is written; an earlier one is taken out of the hashes first."""
    resume = resume_command(folder.path, request.store, explain=request.explain)
    with storage_errors(folder.path, retry=f"run {resume}"):
        sweep_folder(folder.path)
        take_out_results(folder.path)
        yield
