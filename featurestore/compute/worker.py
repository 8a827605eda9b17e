"""A process that reads and computes clips for a build.

It takes tasks from a socket that it was started with, leaves the features in memory that it shares with the
build, and answers with the rest. It ends when the build does, because the socket closes.
"""

from __future__ import annotations

import gc
import mmap
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Literal

import numpy as np
import numpy.typing as npt

from featurestore.compute.portable import portable
from featurestore.compute.processing import ProcessedClip, compute_clips
from featurestore.compute.reader import ReadClip, Reading, read_clip
from featurestore.compute.stages import Stages
from featurestore.plan.units import SourceClip
from pipelines.device import choose_device
from pipelines.pipeline import Pipeline
from pipelines.process import compute_alone, keep_freed_memory
from pipelines.views.compute import window_samples
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class Setup:
    """What a worker is told first: the specification, and what it leaves in the shared memory.

    Features of ``clips`` clips a slot: (slot, clip, view, coefficient, frame) in the store's dtype; or, for
    ``samples``, what a GPU computes from: (slot, clip, sample) float32.
    """

    spec: StoreSpec
    gives: Literal["features", "samples"]
    count: int
    clips: int

    @property
    def clip_shape(self) -> tuple[int, ...]:
        """Shape of one clip in a slot."""
        if self.gives == "samples":
            return (window_samples(self.spec),)
        return (len(self.spec.view_names), sum(self.spec.coefficients.values()), self.spec.frames)

    @property
    def dtype(self) -> str:
        """Of the shared memory."""
        return "float32" if self.gives == "samples" else self.spec.storage.dtype

    def slots(self, memory: mmap.mmap) -> npt.NDArray[np.floating]:
        """The shared memory as an array (slot, clip, …)."""
        return np.frombuffer(memory, dtype=self.dtype).reshape(self.count, self.clips, *self.clip_shape)


@dataclass(frozen=True)
class Task:
    """Clips to process, and the slot of the shared memory that takes what is asked for."""

    slot: int
    sources: tuple[SourceClip, ...]


@dataclass(frozen=True)
class Answer:
    """The clips without samples and feature tables, and how long each stage took.

    ``samples`` : how many samples of each clip lie in the slot, where samples were asked for.
    """

    clips: tuple[ProcessedClip, ...]
    samples: tuple[int, ...]
    seconds: dict[str, float]


class Processor:
    """Reads clips, and computes them where features are asked for."""

    def __init__(self, setup: Setup, memory: mmap.mmap) -> None:
        self._setup = setup
        self._slots = setup.slots(memory)
        self._finish: Callable[[ReadClip, npt.NDArray[np.floating], Stages], ProcessedClip] = _moved
        if setup.gives == "features":
            self._finish = partial(_featurised, Pipeline(setup.spec, choose_device("cpu")))

    def process(self, task: Task) -> Answer:
        """Process a task's clips."""
        stages = Stages()
        spec = self._setup.spec
        reading = Reading(spec.audio, window_samples(spec), 1, "soundfile", stages)
        clips, samples = [], []
        for place, source in enumerate(task.sources):
            read = read_clip(source, reading)
            samples.append(len(read.recording.samples) if read.recording else 0)
            slot = self._slots[task.slot, place]
            clips.append(self._finish(read, slot, stages))
        return Answer(tuple(clips), tuple(samples), stages.seconds())


def _featurised(
    pipeline: Pipeline, read: ReadClip, slot: npt.NDArray[np.floating], stages: Stages
) -> ProcessedClip:
    (clip,) = compute_clips(pipeline, [read], stages)
    if clip.features is None:
        return clip
    slot[:] = clip.features.table[:, 0]
    without = replace(clip.features, table=clip.features.table[:, :, :, :0])
    return ProcessedClip(_without_samples(read), without)


def _moved(read: ReadClip, slot: npt.NDArray[np.floating], _: Stages) -> ProcessedClip:
    if read.recording is not None:
        slot[: len(read.recording.samples)] = read.recording.samples
    return ProcessedClip(_without_samples(read), None)


def _without_samples(read: ReadClip) -> ReadClip:
    if read.recording is None:
        return read
    return replace(read, recording=replace(read.recording, samples=np.empty(0, np.float32)))


def main() -> None:
    """Serve the build that holds the other end of the socket, until it closes it.

    Arguments: file descriptors of the socket and of the shared memory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the build, which ends its workers
    keep_freed_memory()
    compute_alone()
    connection = Connection(int(sys.argv[1]))
    try:
        setup: Setup = connection.recv()
        processor = Processor(setup, mmap.mmap(int(sys.argv[2]), 0))
        gc.freeze()  # what was imported stays: not to be looked through again and again
        while True:
            task = connection.recv()
            try:
                answer: Answer | Exception = processor.process(task)
            except Exception as error:  # noqa: BLE001 # the build raises it
                answer = portable(error)
            connection.send(answer)
    except (EOFError, ConnectionError):
        return
