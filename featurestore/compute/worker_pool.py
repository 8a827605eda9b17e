"""Worker processes that read and compute the clips of a build in parallel.

Threads would share one interpreter lock, which several hundred short operations per clip take in turn.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from featurestore.compute.processing import ProcessedClip
from featurestore.compute.reader import ReadClip
from featurestore.compute.reading_order import split_by_recording
from featurestore.compute.stages import Stages
from featurestore.compute.worker import ComputedClips, Setup, Task
from featurestore.compute.worker_processes import WorkerProcess, WorkerProcesses
from featurestore.plan.units import SourceClip
from pipelines.window import untrimmed_samples, window_samples
from schemas.spec import StoreSpec

TASK_BYTES = 4 * 2**20
"""Approximate size of a task's features: several clips, so that messages cost little in comparison."""

_SLOTS_PER_WORKER = 3
"""One being computed, one waiting, one being read by the build. More if segments of a recording need more."""


_Slots = list[npt.NDArray[np.floating]]
"""The part of the shared memory of each clip of a task, and of further clips for which there is room."""


class WorkerPool:
    """Worker processes for one build. Use it in a ``with`` statement, which ends them.

    ``most_segments`` : of one recording that :meth:`process` or :meth:`read` gets one after another. One
    process reads them, and the shared memory has room for all of them.
    ``started`` : processes to use, as many as ``processes``; None: new ones.
    """

    def __init__(
        self,
        spec: StoreSpec,
        processes: int,
        stages: Stages,
        gives: Literal["features", "samples"] = "features",
        encoders: Mapping[str, Path] | None = None,
        started: WorkerProcesses | None = None,
        most_segments: int = 1,
    ) -> None:
        used = window_samples(spec), untrimmed_samples(spec)
        one = Setup(spec, encoders or {}, gives, *used, count=1, clips=1)
        clip_bytes = math.prod(one.clip_shape) * np.dtype(one.dtype).itemsize
        self._clips = max(1, min(8, TASK_BYTES // clip_bytes))
        self._slots = max(_SLOTS_PER_WORKER, self._slots_for(most_segments)) * processes
        self._stages = stages
        self._setup = setup = replace(one, count=self._slots, clips=self._clips)
        self._processes = started or WorkerProcesses(processes, load_torch=gives == "features")
        try:
            memory = self._processes.set_up(setup, self._slots * self._clips * clip_bytes)
        except BaseException:
            self._processes.end()
            raise
        self._memory = setup.slots(memory)
        self._idle: SimpleQueue[WorkerProcess] = SimpleQueue()
        for worker in self._processes.workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="worker")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._processes.end()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def process(self, sources: Sequence[SourceClip]) -> Generator[ProcessedClip]:
        """Compute the clips' features ahead; yields the clips in the given order.

        A clip's arrays are valid until the next clip is requested. Raises :class:`WorkerLostError` if
        a worker process ends unexpectedly.
        """
        for slots, result in self._results(sources):
            for clip, slot in zip(result.clips, slots, strict=False):
                if clip.features is None:
                    yield clip
                else:
                    arrays = self._setup.features(slot)
                    yield replace(clip, features=replace(clip.features, arrays=arrays))

    def read(self, sources: Sequence[SourceClip]) -> Generator[ReadClip]:
        """Read the recordings' samples ahead; yields them in the given order. For a pool that gives samples.

        Raises :class:`WorkerLostError` if a worker process ends unexpectedly.
        """
        for slots, result in self._results(sources):
            counts = zip(result.clips, result.samples, result.untrimmed, strict=True)
            for (clip, count, whole), slot in zip(counts, slots, strict=False):
                read = clip.read
                if read.recording is not None:
                    samples, untrimmed = self._setup.waveforms(slot)
                    recording = replace(
                        read.recording, samples=samples[:count].copy(), untrimmed=untrimmed[:whole].copy()
                    )
                    read = replace(read, recording=recording)
                yield read

    def _results(self, sources: Sequence[SourceClip]) -> Generator[tuple[_Slots, ComputedClips]]:
        """The result of each task and its part of the memory, valid until the next one is requested."""
        free = deque(range(self._slots))
        pending: deque[tuple[Task, Future[ComputedClips]]] = deque()
        for part in self._parts(sources):
            count = self._slots_for(len(part))
            while len(free) < count:
                task, future = pending.popleft()
                yield self._slots_of(task), self._wait_for_result(future)
                free.extend(task.slots)
            task = Task(tuple(free.popleft() for _ in range(count)), part)
            pending.append((task, self._threads.submit(self._run, task)))
        for task, future in pending:
            yield self._slots_of(task), self._wait_for_result(future)

    def _parts(self, sources: Sequence[SourceClip]) -> Generator[tuple[SourceClip, ...]]:
        """The clips of each task: those of one slot, or more if they are segments of one recording."""
        part: list[SourceClip] = []
        for group in split_by_recording(sources):
            if part and len(part) + len(group) > self._clips:
                yield tuple(part)
                part = []
            part += group
        if part:
            yield tuple(part)

    def _slots_for(self, clips: int) -> int:
        return math.ceil(clips / self._clips)

    def _slots_of(self, task: Task) -> _Slots:
        return [clip for slot in task.slots for clip in self._memory[slot]]

    def _wait_for_result(self, future: Future[ComputedClips]) -> ComputedClips:
        result = future.result()
        self._stages.add(result.seconds)
        return result

    def _run(self, task: Task) -> ComputedClips:
        worker = self._idle.get()
        try:
            return worker.run(task)
        finally:
            self._idle.put(worker)
