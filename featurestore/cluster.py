"""Units built by the workers of a Dask cluster, each unit a task that may run anywhere, and twice."""

from __future__ import annotations

import logging
import signal
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import islice

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, as_completed

from featurestore.cluster_request import ClusterRequest
from featurestore.documents import UnitRecord
from featurestore.growth import UnitWork
from featurestore.places.folder import Folder
from featurestore.places.place import Place
from featurestore.progress import Progress
from featurestore.stages import Stages
from featurestore.unit_task import (
    UnitAnswer,
    UnitTask,
    WorkerState,
    build_unit,
    library_versions,
    look_around,
)
from pipelines.version import FEATURE_VERSION
from schemas.errors import ClusterError, WorkerLostError

_CONNECT_SECONDS = 15
_WORKERS_SECONDS = 60
_UNITS_A_THREAD = 2
"""Units that are with the cluster at a time: one that is built, one that waits behind it."""

_NO_PAGES: dict[str, list[str]] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
"""Dask's pages about a cluster are read by whoever asks, without TLS."""

_AGAIN = "run the same command again, finished units are kept"


@dataclass(frozen=True)
class ClusterExecution:
    """How units are computed by a cluster; ``stages`` and ``fallbacks`` are added to.

    The recordings and the store must be at the same path or URL for every worker.
    """

    place: Place
    token: str
    request: ClusterRequest
    device: str
    decoder: str
    stages: Stages
    fallbacks: Counter[str]

    def run(self, units: Sequence[UnitWork], progress: Progress) -> Generator[UnitRecord]:
        """Compute and commit ``units``, giving each one's record when it is durable, in any order.

        A unit whose worker died goes to another one. Raises :class:`ClusterError` where the cluster cannot be
        reached or its workers cannot do the work, :class:`WorkerLostError` for a unit that ends its workers.
        """
        clips = sum(len(work.unit.clips) for work in units)
        with (
            self._client() as client,
            progress.task("build", clips, "clips") as advance,
        ):
            device = self._require_able(client, units)
            waiting, here = iter(units), library_versions()
            sent: dict[str, UnitWork] = {}

            def submit(count: int) -> list[Future]:
                futures = []
                for work in islice(waiting, count):
                    task = UnitTask(_anywhere(work), self._place, self.token, device, self.decoder, here)
                    key = f"unit-{work.unit.dataset}-{work.unit.index}-{self.token}"
                    futures.append(client.submit(build_unit, task, key=key, pure=False))
                    sent[key] = work
                return futures

            first = submit(_UNITS_A_THREAD * max(1, sum(client.nthreads().values())))
            finished = as_completed(first)
            for future in finished:
                work = sent.pop(future.key)
                answer = self._answer(future, work)
                finished.update(submit(1))
                advance(len(work.unit.clips))
                self.stages.add(answer.seconds)
                self.fallbacks.update(answer.fallbacks)
                yield answer.record

    def _answer(self, future: Future, work: UnitWork) -> UnitAnswer:
        try:
            answer: UnitAnswer | Exception = future.result()
        except KilledWorker as error:
            clips = work.unit.clips
            raise WorkerLostError(
                f"the workers that built the clips {clips[0].clip.clip_id} to {clips[-1].clip.clip_id} ended "
                f"by themselves, as they do when memory is short; {_AGAIN}, with fewer workers a machine"
            ) from error
        except (CancelledError, OSError) as error:
            raise self._gone() from error
        if isinstance(answer, Exception):
            raise answer
        if answer.record.fingerprint != work.unit.fingerprint:
            raise ClusterError(
                f"a worker could not read recordings of unit {work.unit.index} of {work.unit.dataset} as "
                f"planned; if none was changed meanwhile, look for a worker that lost the corpora's "
                f"folder, and {_AGAIN}"
            )
        return answer

    def _gone(self) -> ClusterError:
        return ClusterError(f"the scheduler {self.request.scheduler or 'of this build'} is gone; {_AGAIN}")

    def _require_able(self, client: Client, units: Sequence[UnitWork]) -> str:
        """Make sure that every worker can do the work; returns the device that all of them have."""
        files = {work.unit.dataset: work.unit.clips[0].file.absolute() for work in units if work.unit.clips}
        try:
            client.wait_for_workers(1, timeout=_WORKERS_SECONDS)
            asked = client.run(look_around, self._place, self.token, self.device, list(files.values()))
        except TimeoutError as error:
            raise ClusterError(
                f"no worker came to {self.request.scheduler} within {_WORKERS_SECONDS} s; start some with "
                f"`dask worker {self.request.scheduler}`"
            ) from error
        except OSError as error:
            raise self._gone() from error
        except ModuleNotFoundError as error:
            raise ClusterError(
                f"a worker has no package '{error.name}'; install this very ser-features on every worker"
            ) from error
        return _common_device(asked, self.place)

    @property
    def _place(self) -> Place:
        """The store as a worker in another folder names it."""
        return Folder(self.place.path.absolute()) if isinstance(self.place, Folder) else self.place

    def _local_cluster(self) -> type[LocalCluster]:
        """What starts workers here: dask-cuda where it is installed and there are GPUs."""
        if self.device == "cpu" or find_spec("dask_cuda") is None or not _has_cuda():
            return LocalCluster
        from dask_cuda import LocalCUDACluster

        cuda: type[LocalCluster] = LocalCUDACluster
        return cuda

    @contextmanager
    def _client(self) -> Iterator[Client]:
        for name in ("distributed", "distributed.client"):  # the second has a level of its own
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if self.request.scheduler is None:
            with (
                dask.config.set(_NO_PAGES),
                _interrupts_held_back() as let_through,
                self._local_cluster()(
                    n_workers=self.request.workers,
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                    security=True,  # a port on this machine is open to all of its users
                ) as cluster,
                Client(cluster) as client,
            ):
                let_through()
                yield client
            return
        try:
            with dask.config.set({"distributed.comm.timeouts.connect": f"{_CONNECT_SECONDS}s"}):
                client = Client(self.request.scheduler, timeout=_CONNECT_SECONDS)
        except (OSError, ValueError, TimeoutError) as error:
            raise ClusterError(
                f"no scheduler answers at {self.request.scheduler}: {_first_line(error)}; start one with "
                f"`dask scheduler`, or leave --scheduler out"
            ) from error
        try:
            yield client
        finally:
            with suppress(Exception):  # it may be gone; what it still does, it may not write
                client.close(timeout=5)


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _common_device(asked: Mapping[str, WorkerState], place: Place) -> str:
    """The device that all workers compute on. Raises :class:`ClusterError`, naming a worker and its lack."""
    here = library_versions()
    for address, state in asked.items():
        if not state.sees_store:
            raise ClusterError(
                f"the worker {address} does not see the store {place}; give a folder that is shared by all "
                f"workers under the same path, or a URL"
            )
        if state.unseen:
            raise ClusterError(
                f"the worker {address} cannot read {state.unseen[0]}; the corpora must be under the same "
                f"path on every worker"
            )
        if state.feature_version != FEATURE_VERSION:
            raise ClusterError(f"the worker {address} has another version of the pipeline; install this one")
        for name, number in here.items():
            if state.libraries[name] != number:
                raise ClusterError(
                    f"the worker {address} has {name} {state.libraries[name]}, here it is {number}; install "
                    f"the same versions everywhere, for they decide about the last bit"
                )
    devices = {state.device for state in asked.values()}
    if len(devices) > 1:
        raise ClusterError(
            "some workers have a GPU and some have none, and their numbers differ in the last bits; "
            "give --device cuda or --device cpu"
        )
    return devices.pop()


def _anywhere(work: UnitWork) -> UnitWork:
    """The same work for a worker in another folder."""
    places = tuple(
        replace(source, file=source.file.absolute()) if source else None for source in work.unit.places
    )
    return replace(work, unit=replace(work.unit, places=places))


@contextmanager
def _interrupts_held_back() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the function is called that this gives, or to the end; it is not lost.

    Processes that are started meanwhile never see it: it is for the build, which ends its workers.
    """
    held = {signal.SIGINT} - signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def let_through() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held)

    try:
        yield let_through
    finally:
        let_through()


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
