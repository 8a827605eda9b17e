"""Worker processes that read and compute the clips of a build in parallel.

Threads would share one interpreter lock, which several hundred short operations per clip take in turn.
"""

from __future__ import annotations

import math
import mmap
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from featurestore.compute.processing import ProcessedClip
from featurestore.compute.reader import ReadClip
from featurestore.compute.stages import Stages
from featurestore.compute.worker import ComputedClips, Setup, Task
from featurestore.plan.units import SourceClip
from schemas.errors import WorkerLostError
from schemas.spec import StoreSpec

TASK_BYTES = 4 * 2**20
"""Approximate size of a task's features: several clips, so that messages cost little in comparison."""

_PROGRAM = "from featurestore.compute.worker import main; main()"
"""Not ``-m``: the classes of the messages must belong to the module, not to ``__main__``."""

_SLOTS_PER_WORKER = 3
"""One being computed, one waiting, one being read by the build."""


class WorkerPool:
    """Worker processes for one build. Use it in a ``with`` statement, which ends them.

    They are new Python processes, neither forked nor spawned by multiprocessing, so the threads and the main
    module of the calling program do not matter.
    """

    def __init__(
        self,
        spec: StoreSpec,
        processes: int,
        stages: Stages,
        gives: Literal["features", "samples"] = "features",
        encoders: Mapping[str, Path] | None = None,
    ) -> None:
        one = Setup(spec, encoders or {}, gives, 1, 1)
        clip_bytes = math.prod(one.clip_shape) * np.dtype(one.dtype).itemsize
        self._clips = max(1, min(8, TASK_BYTES // clip_bytes))
        self._slots = _SLOTS_PER_WORKER * processes
        self._stages = stages
        self._setup = setup = replace(one, count=self._slots, clips=self._clips)
        self._workers: list[_Worker] = []
        shared = os.memfd_create("ser-features")
        try:
            os.ftruncate(shared, self._slots * self._clips * clip_bytes)
            self._memory = setup.slots(mmap.mmap(shared, 0))
            for _ in range(processes):
                self._workers.append(_Worker(shared, setup))
        except BaseException:
            self._end_workers()
            raise
        finally:
            os.close(shared)
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="worker")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_workers()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def process(self, sources: Sequence[SourceClip]) -> Generator[ProcessedClip]:
        """Compute the clips' features ahead; yields the clips in the given order.

        A clip's arrays are valid until the next clip is requested. Raises :class:`WorkerLostError` if
        a worker process ends unexpectedly.
        """
        for slot, result in self._results(sources):
            for index, clip in enumerate(result.clips):
                if clip.features is None:
                    yield clip
                else:
                    arrays = self._setup.features(slot[index])
                    yield replace(clip, features=replace(clip.features, arrays=arrays))

    def read(self, sources: Sequence[SourceClip]) -> Generator[ReadClip]:
        """Read the recordings' samples ahead; yields them in the given order. For a pool that gives samples.

        Raises :class:`WorkerLostError` if a worker process ends unexpectedly.
        """
        for slot, result in self._results(sources):
            counts = zip(result.clips, result.samples, result.untrimmed, strict=True)
            for index, (clip, count, whole) in enumerate(counts):
                read = clip.read
                if read.recording is not None:
                    samples, untrimmed = self._setup.waveforms(slot[index])
                    recording = replace(
                        read.recording, samples=samples[:count].copy(), untrimmed=untrimmed[:whole].copy()
                    )
                    read = replace(read, recording=recording)
                yield read

    def _results(
        self, sources: Sequence[SourceClip]
    ) -> Generator[tuple[npt.NDArray[np.floating], ComputedClips]]:
        """The result of each task and its slot of the memory, valid until the next one is requested."""
        free = deque(range(self._slots))
        pending: deque[tuple[Task, Future[ComputedClips]]] = deque()
        for first in range(0, len(sources), self._clips):
            if not free:
                task, future = pending.popleft()
                yield self._memory[task.slot], self._wait_for_result(future)
                free.append(task.slot)
            task = Task(free.popleft(), tuple(sources[first : first + self._clips]))
            pending.append((task, self._threads.submit(self._run, task)))
        for task, future in pending:
            yield self._memory[task.slot], self._wait_for_result(future)

    def _wait_for_result(self, future: Future[ComputedClips]) -> ComputedClips:
        result = future.result()
        self._stages.add(result.seconds)
        return result

    def _end_workers(self) -> None:
        for worker in self._workers:
            worker.end()

    def _run(self, task: Task) -> ComputedClips:
        worker = self._idle.get()
        try:
            return worker.run(task)
        finally:
            self._idle.put(worker)


class _Worker:
    """A worker process and the socket to it."""

    def __init__(self, shared: int, setup: Setup) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 # this same program
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno()), str(shared)],
                pass_fds=(theirs.fileno(), shared),
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is for the build, which ends its workers
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(_import_path()),
                    "OMP_NUM_THREADS": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                },
            )
        self._connection = Connection(ours.detach())
        self._connection.send(setup)

    def run(self, task: Task) -> ComputedClips:
        """Have the worker process a task. Raises the worker's error, :class:`WorkerLostError` if it ended."""
        try:
            self._connection.send(task)
            result: ComputedClips | Exception = self._connection.recv()
        except (EOFError, OSError) as error:
            # Frames of `send` hold a view of a BytesIO. If both are collected in one cycle, Python 3.12.1
            # crashes, and 3.13 and later print an ignored error.
            traceback.clear_frames(error.__traceback__)
            code = self._process.wait()
            first, last = (task.sources[i].clip.clip_id for i in (0, -1))
            advice = ", with fewer --jobs if memory is short" if code == -signal.SIGKILL else ""
            raise WorkerLostError(
                f"a worker process ended unexpectedly (exit code {code}) while it processed clips {first} to "
                f"{last}; run the same command again{advice}"
            ) from error
        if isinstance(result, Exception):
            raise result
        return result

    def end(self) -> None:
        """Kill the process: it holds nothing that would be lost."""
        self._process.kill()
        self._process.wait()
        self._connection.close()


def _import_path() -> list[str]:
    """Module search path of workers: this package first, then the path of this process."""
    ours = str(Path(__file__).resolve().parents[2])
    return [ours, *(str(Path(entry).absolute()) for entry in sys.path if entry != ours)]
