"""Worker processes that read and compute the clips of a build side by side.

Threads would share one interpreter lock, taken between several hundred short operations a clip.
"""

from __future__ import annotations

import math
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Sequence
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
from featurestore.compute.worker import Answer, Setup, Task
from featurestore.plan.units import SourceClip
from schemas.errors import WorkerLostError
from schemas.spec import StoreSpec

TASK_BYTES = 4 * 2**20
"""A task's features take about this much: a few clips, so that asking and answering cost nothing."""

_PROGRAM = "from featurestore.compute.worker import main; main()"
"""Not ``-m``: the classes that are sent must belong to the module, not to ``__main__``."""

_SLOTS_A_WORKER = 3
"""One that is computed, one that waits behind it, one that is read by the build."""


class WorkerPool:
    """Worker processes for one build. Use it in a ``with`` statement: its end ends them.

    They are started anew rather than forked or spawned, so that neither the threads nor the main module of
    the calling program matter.
    """

    def __init__(
        self,
        spec: StoreSpec,
        processes: int,
        stages: Stages,
        gives: Literal["features", "samples"] = "features",
    ) -> None:
        one = Setup(spec, gives, 1, 1)
        clip_bytes = math.prod(one.clip_shape) * np.dtype(one.dtype).itemsize
        self._clips = max(1, min(8, TASK_BYTES // clip_bytes))
        self._slots = _SLOTS_A_WORKER * processes
        self._stages = stages
        setup = replace(one, count=self._slots, clips=self._clips)
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
        """The clips with their features, in the order given, computed ahead.

        A clip's feature table is valid until the next clip is asked for. Raises :class:`WorkerLostError`
        where a worker process ended by itself.
        """
        for slot, answer in self._answers(sources):
            for place, clip in enumerate(answer.clips):
                if clip.features is None:
                    yield clip
                else:
                    yield replace(clip, features=replace(clip.features, table=slot[place][:, None]))

    def read(self, sources: Sequence[SourceClip]) -> Generator[ReadClip]:
        """The recordings with their samples, in the order given, read ahead, of a pool that gives samples.

        Raises :class:`WorkerLostError` where a worker process ended by itself.
        """
        for slot, answer in self._answers(sources):
            for place, (clip, count) in enumerate(zip(answer.clips, answer.samples, strict=True)):
                read = clip.read
                if read.recording is not None:
                    recording = replace(read.recording, samples=slot[place, :count].copy())
                    read = replace(read, recording=recording)
                yield read

    def _answers(self, sources: Sequence[SourceClip]) -> Generator[tuple[npt.NDArray[np.floating], Answer]]:
        """Each task's slot of the memory, which is its own until the next is asked for, and the answer."""
        free = deque(range(self._slots))
        pending: deque[tuple[Task, Future[Answer]]] = deque()
        for first in range(0, len(sources), self._clips):
            if not free:
                task, answer = pending.popleft()
                yield self._memory[task.slot], self._counted(answer)
                free.append(task.slot)
            task = Task(free.popleft(), tuple(sources[first : first + self._clips]))
            pending.append((task, self._threads.submit(self._ask, task)))
        for task, answer in pending:
            yield self._memory[task.slot], self._counted(answer)

    def _counted(self, future: Future[Answer]) -> Answer:
        answer = future.result()
        self._stages.add(answer.seconds)
        return answer

    def _end_workers(self) -> None:
        for worker in self._workers:
            worker.end()

    def _ask(self, task: Task) -> Answer:
        worker = self._idle.get()
        try:
            return worker.ask(task)
        finally:
            self._idle.put(worker)


class _Worker:
    """A worker process and the socket to it."""

    def __init__(self, shared: int, setup: Setup) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 # this very program
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

    def ask(self, task: Task) -> Answer:
        """Let the worker process a task. Raises what it raises, :class:`WorkerLostError` where it is gone."""
        try:
            self._connection.send(task)
            answer: Answer | Exception = self._connection.recv()
        except (EOFError, OSError) as error:
            code = self._process.wait()
            first, last = (task.sources[i].clip.clip_id for i in (0, -1))
            advice = ", with fewer --jobs if memory is short" if code == -signal.SIGKILL else ""
            raise WorkerLostError(
                f"a worker process ended by itself (exit code {code}) among the clips {first} to {last}; "
                f"run the same command again{advice}"
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        """End the process at once: it holds nothing that would be lost."""
        self._process.kill()
        self._process.wait()
        self._connection.close()


def _import_path() -> list[str]:
    """Where workers find modules: this very package first, then where this process finds them."""
    ours = str(Path(__file__).resolve().parents[2])
    return [ours, *(str(Path(entry).absolute()) for entry in sys.path if entry != ours)]
