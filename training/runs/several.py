"""A folder of several runs that are trained one by one, or by the workers of a cluster, and summarised."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from training.runs.hashes import is_listed
from training.runs.request import TrainRequest


@dataclass(frozen=True)
class SeveralRuns(ABC):
    """What series and matrices have in common: numbered runs, some of them unfinished.

    A run with ``metrics.json`` is finished; any other is started or resumed. So a stopped training resumes
    run by run, and within a run.
    """

    path: Path

    @property
    @abstractmethod
    def unit(self) -> str:
        """What one run is: ``fold``."""

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of all runs, in order."""

    @abstractmethod
    def run(self, number: int) -> Path:
        """Folder of run ``number``, from 1."""

    @abstractmethod
    def new_request(self, number: int, request: TrainRequest) -> TrainRequest:
        """The request that starts a run; store and hardware are as in ``request``."""

    def is_finished(self, number: int) -> bool:
        """Whether the run was trained and tested. Raises :class:`RunError` if its hashes are damaged."""
        run = self.run(number)
        return (run / "metrics.json").is_file() and is_listed(run, "metrics.json")

    def request(self, number: int, request: TrainRequest) -> TrainRequest:
        """The request that starts or resumes one run.

        A folder without ``run.json`` is the remains of a killed start and is removed.
        """
        path = self.run(number)
        if (path / "run.json").is_file():
            return TrainRequest(
                store=request.store, resume=path, hardware=request.hardware, explain=request.explain
            )
        shutil.rmtree(path, ignore_errors=True)
        return self.new_request(number, request)
