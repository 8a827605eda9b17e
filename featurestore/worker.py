"""A process that reads and computes clips for a build.

It takes tasks from a socket that it was started with, leaves the features in memory that it shares with the
build, and answers with the rest. It ends when the build does, because the socket closes.
"""

from __future__ import annotations

import gc
import mmap
import signal
import sys
import traceback
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from featurestore.plan import SourceClip
from featurestore.processing import ProcessedClip, compute_clips
from featurestore.reader import Reading, read_clip
from featurestore.stages import Stages
from pipelines.device import choose_device
from pipelines.pipeline import Pipeline
from pipelines.process import compute_alone, keep_freed_memory
from schemas.spec import StoreSpec


@dataclass(frozen=True)
class Setup:
    """What a worker is told first: the specification, and how the shared memory is cut.

    ``shape`` : (slot, clip, view, coefficient, frame) in the store's dtype.
    """

    spec: StoreSpec
    shape: tuple[int, int, int, int, int]

    def slots(self, memory: mmap.mmap) -> npt.NDArray[np.floating]:
        """The shared memory as an array of ``shape``."""
        return np.frombuffer(memory, dtype=self.spec.storage.dtype).reshape(self.shape)


@dataclass(frozen=True)
class Task:
    """Clips to process, and the slot of the shared memory that takes their features."""

    slot: int
    sources: tuple[SourceClip, ...]


@dataclass(frozen=True)
class Answer:
    """The clips without samples and feature tables, and how long each stage took."""

    clips: tuple[ProcessedClip, ...]
    seconds: dict[str, float]


def process(task: Task, pipeline: Pipeline, slots: npt.NDArray[np.floating]) -> Answer:
    """Read and compute a task's clips."""
    stages = Stages()
    reading = Reading(pipeline.spec.audio, pipeline.window, 1, "soundfile", stages)
    answered = []
    for place, source in enumerate(task.sources):
        (clip,) = compute_clips(pipeline, [read_clip(source, reading)], stages)
        if clip.features is not None and clip.read.recording is not None:
            slots[task.slot, place] = clip.features.table[:, 0]
            empty = clip.features.table[:, :, :, :0]
            recording = replace(clip.read.recording, samples=np.empty(0, np.float32))
            clip = ProcessedClip(replace(clip.read, recording=recording), replace(clip.features, table=empty))
        answered.append(clip)
    return Answer(tuple(answered), stages.seconds())


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
        slots = setup.slots(mmap.mmap(int(sys.argv[2]), 0))
        pipeline = Pipeline(setup.spec, choose_device("cpu"))
        gc.freeze()  # what was imported stays: not to be looked through again and again
        while True:
            task = connection.recv()
            try:
                answer: Answer | Exception = process(task, pipeline, slots)
            except Exception as error:  # noqa: BLE001 # the build raises it
                answer = _portable(error)
            connection.send(answer)
    except (EOFError, ConnectionError):
        return


def _portable(error: Exception) -> Exception:
    """The error as another process can take it: of a class that it knows, with the traceback as a note."""
    known = type(error).__module__ in {"builtins", "schemas.errors"}
    portable = error if known else RuntimeError(f"{type(error).__name__}: {error}")
    portable.add_note("In a worker process:\n" + "".join(traceback.format_exception(error)))
    return portable
