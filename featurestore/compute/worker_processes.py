"""The worker processes of a build: new Python programs that start while recordings are still hashed.

They are neither forked nor spawned by multiprocessing, so the threads and the main module of the calling
program do not matter.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

from featurestore.compute.worker import ComputedClips, Setup, Task
from pipelines.decoders import Decoder
from pipelines.device import may_use_gpu
from schemas.errors import WorkerLostError

MANY_CLIPS = 600
"""With this many clips, worker processes save more than the two seconds that they take to start."""

_PROGRAM = "from featurestore.compute.worker import main; main()"
"""Not ``-m``: the classes of the messages must belong to the module, not to ``__main__``."""


def use_processes(decoder: Decoder, jobs: int, clips: int) -> bool:
    """Whether worker processes read ``clips`` clips, instead of threads."""
    return decoder == "soundfile" and jobs > 1 and clips >= MANY_CLIPS


class WorkerProcesses:
    """Processes that load their libraries and then wait for the specification; end them with :meth:`end`.

    ``load_torch`` : whether they will probably compute, and not only read samples.
    """

    def __init__(self, count: int, *, load_torch: bool) -> None:
        self.workers: list[WorkerProcess] = []
        self._free = True
        self._shared = os.memfd_create("ser-features")
        try:
            for _ in range(count):
                self.workers.append(WorkerProcess(self._shared, load_torch=load_torch))
        except BaseException:
            self.end()
            raise

    def set_up(self, setup: Setup, size: int) -> mmap.mmap:
        """Have the processes begin; returns the memory of ``size`` bytes that they share with this one."""
        os.ftruncate(self._shared, size)
        memory = mmap.mmap(self._shared, 0)
        for worker in self.workers:
            worker.set_up(setup)
        return memory

    def take(self) -> WorkerProcesses | None:
        """These processes for whoever asks first; None for others."""
        free, self._free = self._free, False
        return self if free else None

    def end(self) -> None:
        """Kill the processes: they hold nothing that would be lost."""
        for worker in self.workers:
            worker.end()
        self.workers.clear()
        if self._shared >= 0:
            os.close(self._shared)
            self._shared = -1


@contextmanager
def start_early(count: int, device: str) -> Iterator[WorkerProcesses | None]:
    """``count`` processes for the ``with`` block, which ends them; None for 0."""
    started = WorkerProcesses(count, load_torch=not may_use_gpu(device)) if count else None
    try:
        yield started
    finally:
        if started is not None:
            started.end()


class WorkerProcess:
    """A worker process and the socket to it."""

    def __init__(self, shared: int, *, load_torch: bool) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 # this same program
                [
                    *(sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno()), str(shared)),
                    "torch" if load_torch else "",
                ],
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

    def set_up(self, setup: Setup) -> None:
        """Say what the process will do. If it has ended, its first task reports that."""
        with suppress(OSError):
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
