"""Units built by the workers of a Dask cluster, each unit a task that may run anywhere, and twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from itertools import islice

from distributed import Client, Future, KilledWorker, as_completed

from featurestore.cluster.client import dask_client
from featurestore.cluster.request import ClusterRequest
from featurestore.cluster.unit_task import (
    UnitAnswer,
    UnitTask,
    WorkerState,
    build_unit,
    library_versions,
    look_around,
)
from featurestore.compute.stages import Stages
from featurestore.format.documents import UnitRecord
from featurestore.places.folder import Folder
from featurestore.places.place import Place
from featurestore.plan.growth import UnitWork
from featurestore.progress import Progress
from pipelines.version import FEATURE_VERSION
from schemas.errors import ClusterError, WorkerLostError

_WORKERS_SECONDS = 60
_UNITS_A_THREAD = 2
"""Units that are with the cluster at a time: one that is built, one that waits behind it."""

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
            dask_client(self.request, self.device) as client,
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
