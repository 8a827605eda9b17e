"""Builds units with the workers of a Dask cluster. Each unit is a task that may run anywhere, even twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from distributed import Client, Future, KilledWorker, as_completed

from featurestore.cluster.client import dask_client
from featurestore.cluster.request import ClusterRequest
from featurestore.cluster.unit_task import (
    BuiltUnit,
    UnitTask,
    WorkerState,
    build_unit,
    compared_libraries,
    inspect_worker,
    library_versions,
)
from featurestore.compute.stages import Stages
from featurestore.format.documents import UnitRecord
from featurestore.places.folder import Folder
from featurestore.places.place import Place
from featurestore.plan.growth import UnitWork
from featurestore.progress import Progress
from pipelines.encoders.weights import find_weights
from pipelines.version import FEATURE_VERSION
from schemas.errors import ClusterError, WorkerLostError

_WORKERS_SECONDS = 60
_UNITS_PER_THREAD = 2
"""Units submitted at a time: one being built, one waiting."""

_RETRY = "run the same command again; finished units are kept"


@dataclass(frozen=True)
class ClusterExecution:
    """Computes units on a cluster; adds to ``stages`` and ``fallbacks``.

    The recordings and the store must have the same path or URL on every worker.
    """

    place: Place
    token: str
    request: ClusterRequest
    device: str
    decoder: str
    stages: Stages
    fallbacks: Counter[str]
    encoders: Mapping[str, Path] = field(default_factory=dict)
    """Folder of the weights of each encoder feature, the same on every worker."""

    def run(self, units: Sequence[UnitWork], progress: Progress) -> Generator[UnitRecord]:
        """Compute and commit ``units``; yields the record of each when it is durable, in any order.

        If a worker dies, another one builds its unit. Raises :class:`ClusterError` if the cluster cannot be
        reached or its workers cannot do the work, :class:`WorkerLostError` for a unit that ends its workers.
        """
        clips = sum(len(work.unit.clips) for work in units)
        with (
            dask_client(self.request, self.device) as client,
            progress.task("build", clips, "clips") as advance,
        ):
            device = self._check_workers(client, units)
            waiting, here = iter(units), _libraries(units)
            sent: dict[str, UnitWork] = {}

            def submit(count: int) -> list[Future]:
                futures = []
                for work in islice(waiting, count):
                    task = UnitTask(
                        _with_absolute_paths(work),
                        self._place,
                        self.token,
                        device,
                        self.decoder,
                        here,
                        self.encoders,
                    )
                    key = f"unit-{work.unit.dataset}-{work.unit.index}-{self.token}"
                    futures.append(client.submit(build_unit, task, key=key, pure=False))
                    sent[key] = work
                return futures

            first = submit(_UNITS_PER_THREAD * max(1, sum(client.nthreads().values())))
            finished = as_completed(first)
            for future in finished:
                work = sent.pop(future.key)
                built = self._wait_for_unit(future, work)
                finished.update(submit(1))
                advance(len(work.unit.clips))
                self.stages.add(built.seconds)
                self.fallbacks.update(built.fallbacks)
                yield built.record

    def _wait_for_unit(self, future: Future, work: UnitWork) -> BuiltUnit:
        try:
            built: BuiltUnit | Exception = future.result()
        except KilledWorker as error:
            clips = work.unit.clips
            raise WorkerLostError(
                f"the workers that built clips {clips[0].clip.clip_id} to {clips[-1].clip.clip_id} ended "
                f"unexpectedly, probably because memory is short; use fewer workers per machine and {_RETRY}"
            ) from error
        except (CancelledError, OSError) as error:
            raise self._connection_lost() from error
        if isinstance(built, Exception):
            raise built
        if built.record.fingerprint != work.unit.fingerprint:
            raise ClusterError(
                f"a worker could not read recordings of unit {work.unit.index} of {work.unit.dataset} as "
                f"planned; if none has changed meanwhile, look for a worker that lost access to the "
                f"corpora's folder, and {_RETRY}"
            )
        return built

    def _connection_lost(self) -> ClusterError:
        scheduler = self.request.scheduler or "of this build"
        return ClusterError(f"the connection to the scheduler {scheduler} was lost; {_RETRY}")

    def _check_workers(self, client: Client, units: Sequence[UnitWork]) -> str:
        """Check that every worker can do the work; returns the device that all of them have."""
        clips = {work.unit.dataset: work.unit.clips[0].file.absolute() for work in units if work.unit.clips}
        weights = [file for folder in self.encoders.values() for file in find_weights(folder).files]
        files = [*clips.values(), *weights]
        try:
            client.wait_for_workers(1, timeout=_WORKERS_SECONDS)
            states = client.run(inspect_worker, self._place, self.token, self.device, files)
        except TimeoutError as error:
            raise ClusterError(
                f"no worker connected to {self.request.scheduler} within {_WORKERS_SECONDS} s; start "
                f"some with `dask worker {self.request.scheduler}`"
            ) from error
        except OSError as error:
            raise self._connection_lost() from error
        except ModuleNotFoundError as error:
            raise ClusterError(
                f"a worker lacks the package '{error.name}'; install the same ser-features on every worker"
            ) from error
        return _common_device(states, self.place, _libraries(units))

    @property
    def _place(self) -> Place:
        """The store with a path that is valid in any working directory."""
        return Folder(self.place.path.absolute()) if isinstance(self.place, Folder) else self.place


def _libraries(units: Sequence[UnitWork]) -> dict[str, str]:
    """Versions of the libraries that compute ``units``; every worker must have the same."""
    return library_versions(compared_libraries(work.compute for work in units))


def _common_device(states: Mapping[str, WorkerState], place: Place, libraries: Mapping[str, str]) -> str:
    """The device of all workers, if they have these libraries.

    Raises :class:`ClusterError` for a worker that cannot do the work.
    """
    for address, state in states.items():
        if not state.sees_store:
            raise ClusterError(
                f"the worker {address} does not see the store {place}; give a folder that all workers share "
                f"under the same path, or a URL"
            )
        if state.unseen:
            raise ClusterError(
                f"the worker {address} cannot read {state.unseen[0]}; corpora and weights must be under the "
                f"same path on every worker"
            )
        if state.feature_version != FEATURE_VERSION:
            raise ClusterError(
                f"the worker {address} has another version of the pipeline; install this version on it"
            )
        for name, number in libraries.items():
            if state.libraries[name] != number:
                raise ClusterError(
                    f"the worker {address} has {name} {state.libraries[name]}, this machine {number}; "
                    f"install the same versions everywhere, because results differ in the last bits"
                )
    devices = {state.device for state in states.values()}
    if len(devices) > 1:
        raise ClusterError(
            "some workers have a GPU and others do not, and their results differ in the last bits; "
            "give --device cuda or --device cpu"
        )
    return devices.pop()


def _with_absolute_paths(work: UnitWork) -> UnitWork:
    """The same work for a worker with another working directory."""
    rows = tuple(
        replace(source, file=source.file.absolute()) if source else None for source in work.unit.rows
    )
    return replace(work, unit=replace(work.unit, rows=rows))
