"""Runs trials: one after the other in this process, or side by side on Dask workers.

Only this process asks for configurations and writes the file with the trials. A worker gets a configuration,
the steps of earlier trials for the median, and the rows of the clips outside the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from featurestore.cluster.request import ClusterRequest
from pipelines.machine import usable_cores
from schemas.errors import SerError, WorkerLostError
from training.report.search.result import TrialRow
from training.search.bench import Bench, BenchRequest
from training.search.judge import Judge
from training.search.outcome import Steps, TrialOutcome
from training.search.study import Asked, Study
from training.search.trial import run_trial

Ended = Callable[[TrialRow], None]
"""Called after each trial."""


class Runner(Protocol):
    """Runs the trials of a fold until there are enough."""

    def run(self, study: Study, request: BenchRequest, trials: int, ended: Ended) -> None:
        """Run trials until ``study`` has ``trials``. Raises what :func:`run_trial` raises."""


class OwnProcess:
    """Runs one trial after the other in this process."""

    def run(self, study: Study, request: BenchRequest, trials: int, ended: Ended) -> None:
        """Run trials until ``study`` has ``trials``."""
        if len(study.ended) >= trials:
            return
        bench = Bench(request)
        while len(study.ended) < trials:
            asked = study.ask()
            row = study.tell_repeat(asked)
            if row is None:
                row = study.tell(asked, run_trial(bench, asked.changes, Judge(study.earlier)))
            ended(row)


@contextmanager
def open_runner(cluster: ClusterRequest | None, device: str) -> Iterator[Runner]:
    """The runner for ``cluster``; None: this process. Raises what :func:`dask_client` raises."""
    if cluster is None:
        yield OwnProcess()
        return
    from featurestore.cluster.client import dask_client

    with dask_client(cluster, device) as client:
        count = cluster.workers or max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        threads = max(1, usable_cores() // count) if cluster.scheduler is None else 0
        yield _Workers(client.submit, count, threads)


class _Workers:
    """Runs as many trials at a time as there are workers."""

    def __init__(self, submit: Callable[..., object], count: int, threads: int) -> None:
        self._submit, self._count, self._threads = submit, count, threads

    def run(self, study: Study, request: BenchRequest, trials: int, ended: Ended) -> None:
        """Run trials until ``study`` has ``trials``."""
        from distributed import KilledWorker, as_completed

        if self._threads:  # the workers are on this machine
            request = replace(request, processes=self._count)
        tasks: dict[object, Asked] = {}
        queue = as_completed()
        while True:
            while len(tasks) < self._count and len(study.ended) + len(tasks) < trials:
                asked = study.ask()
                row = study.tell_repeat(asked)
                if row is not None:
                    ended(row)
                    continue
                future = self._submit(
                    run_in_worker, request, asked.changes, study.earlier, self._threads, pure=False
                )
                tasks[future] = asked
                queue.add(future)
            if not tasks:
                return
            future = next(queue)
            asked = tasks.pop(future)
            try:
                outcome = future.result()
            except KilledWorker as error:
                raise WorkerLostError(
                    f"the worker of trial {asked.number} was lost, probably because memory ran out; run the "
                    f"same command again with fewer workers per machine: finished trials are kept"
                ) from error
            if isinstance(outcome, SerError):
                raise outcome
            ended(study.tell(asked, outcome))


_BENCHES: dict[str, Bench] = {}
"""The bench of this worker, by the hash of its request: only the latest is kept."""


def run_in_worker(
    request: BenchRequest, changes: Sequence[str], earlier: Sequence[Steps], threads: int
) -> TrialOutcome | SerError:
    """Run one trial in a worker with ``threads`` threads; 0: as many as torch chooses."""
    import torch

    from pipelines.process import keep_freed_memory

    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    try:
        if request.key not in _BENCHES:
            _BENCHES.clear()
            _BENCHES[request.key] = Bench(request)
        return run_trial(_BENCHES[request.key], changes, Judge(earlier))
    except SerError as error:
        return error
