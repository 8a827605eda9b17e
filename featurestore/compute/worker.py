"""A process that reads and computes clips for a build.

It receives tasks through a socket, writes the features into memory that it shares with the build, and sends
back everything else. It ends when the build does, because the socket closes.
"""

from __future__ import annotations

import gc
import mmap
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from featurestore.compute.portable import make_portable
from featurestore.compute.processing import ProcessedClip, compute_clips
from featurestore.compute.read_ahead import read_group
from featurestore.compute.reader import ReadClip, ReadSettings
from featurestore.compute.reading_order import split_by_recording
from featurestore.compute.stages import Stages
from featurestore.plan.units import SourceClip
from pipelines.process import compute_alone, keep_freed_memory
from schemas.spec import StoreSpec

if TYPE_CHECKING:  # processes that only read samples do not load torch
    from pipelines.pipeline import Pipeline


@dataclass(frozen=True)
class Setup:
    """The first message to a worker: the specification and the layout of the shared memory.

    The memory has ``count`` slots of ``clips`` clips each. With ``gives="features"`` it holds (slot, clip,
    view, number) in the store's dtype, where the numbers of a view are its features one after another; with
    ``"samples"``, the input of a GPU: (slot, clip, sample) float32, where the samples before trimming, if a
    view needs them, follow those of the window.

    ``encoders`` : folder of the weights of each encoder feature.
    ``window``, ``untrimmed`` : samples of a recording that the pipeline uses, and of those before trimming.
    """

    spec: StoreSpec
    encoders: Mapping[str, Path]
    gives: Literal["features", "samples"]
    window: int
    untrimmed: int
    count: int
    clips: int

    @property
    def clip_shape(self) -> tuple[int, ...]:
        """Shape of one clip in a slot."""
        if self.gives == "samples":
            return (self.window + self.untrimmed,)
        return (len(self.spec.view_names), sum(rows * frames for rows, frames in self.spec.shapes.values()))

    @property
    def dtype(self) -> str:
        """Data type of the shared memory."""
        return "float32" if self.gives == "samples" else self.spec.storage.dtype

    def features(self, slot: npt.NDArray[np.floating]) -> dict[str, npt.NDArray[np.floating]]:
        """A clip's part of the memory as arrays by feature: (view, 1, coefficient, frame), not copied."""
        out, first = {}, 0
        for name, (rows, frames) in self.spec.shapes.items():
            part = slot[:, first : first + rows * frames]
            out[name] = part.reshape(len(slot), 1, rows, frames)
            first += rows * frames
        return out

    def waveforms(
        self, slot: npt.NDArray[np.floating]
    ) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
        """A clip's part of the memory: room for its samples, and for those before trimming; not copied."""
        return slot[: self.window], slot[self.window :]

    def slots(self, memory: mmap.mmap) -> npt.NDArray[np.floating]:
        """The shared memory as an array (slot, clip, …)."""
        return np.frombuffer(memory, dtype=self.dtype).reshape(self.count, self.clips, *self.clip_shape)


@dataclass(frozen=True)
class Task:
    """Clips to process, and the slots of the shared memory for their features or samples, one per
    ``Setup.clips`` clips.
    """

    slots: tuple[int, ...]
    sources: tuple[SourceClip, ...]


@dataclass(frozen=True)
class ComputedClips:
    """A task's result: the clips without samples and feature tables, and the seconds of each stage.

    ``samples``, ``untrimmed`` : the number of samples of each clip, and before trimming.
    """

    clips: tuple[ProcessedClip, ...]
    samples: tuple[int, ...]
    untrimmed: tuple[int, ...]
    seconds: dict[str, float]


class Processor:
    """Reads clips and, if the build wants features, computes them."""

    def __init__(self, setup: Setup, memory: mmap.mmap) -> None:
        self._setup = setup
        self._slots = setup.slots(memory)
        self._finish: Callable[[ReadClip, npt.NDArray[np.floating], Stages], ProcessedClip] = partial(
            _store_samples, setup
        )
        if setup.gives == "features":
            from pipelines.device import choose_device
            from pipelines.pipeline import Pipeline

            compute_alone()
            pipeline = Pipeline(setup.spec, choose_device("cpu"), setup.encoders)
            self._finish = partial(_store_features, setup, pipeline)

    def process(self, task: Task) -> ComputedClips:
        """Process a task's clips."""
        stages = Stages()
        setup = self._setup
        settings = ReadSettings(setup.spec.audio, setup.window, 1, "soundfile", stages, setup.untrimmed)
        clips, samples, untrimmed = [], [], []
        reads = (read for group in split_by_recording(task.sources) for read in read_group(group, settings))
        for index, read in enumerate(reads):
            samples.append(len(read.recording.samples) if read.recording else 0)
            untrimmed.append(len(read.recording.untrimmed) if read.recording else 0)
            slot = self._slots[task.slots[index // setup.clips], index % setup.clips]
            clips.append(self._finish(read, slot, stages))
        return ComputedClips(tuple(clips), tuple(samples), tuple(untrimmed), stages.seconds())


def _store_features(
    setup: Setup, pipeline: Pipeline, read: ReadClip, slot: npt.NDArray[np.floating], stages: Stages
) -> ProcessedClip:
    (clip,) = compute_clips(pipeline, [read], stages)
    if clip.features is None:
        return clip
    for name, array in setup.features(slot).items():
        array[:] = clip.features.arrays[name]
    return ProcessedClip(_without_samples(read), replace(clip.features, arrays={}))


def _store_samples(setup: Setup, read: ReadClip, slot: npt.NDArray[np.floating], _: Stages) -> ProcessedClip:
    if read.recording is not None:
        samples, untrimmed = setup.waveforms(slot)
        samples[: len(read.recording.samples)] = read.recording.samples
        untrimmed[: len(read.recording.untrimmed)] = read.recording.untrimmed
    return ProcessedClip(_without_samples(read), None)


def _without_samples(read: ReadClip) -> ReadClip:
    if read.recording is None:
        return read
    nothing = np.empty(0, np.float32)
    return replace(read, recording=replace(read.recording, samples=nothing, untrimmed=nothing))


def main() -> None:
    """Process tasks until the build closes its end of the socket.

    Command-line arguments: file descriptors of the socket and of the shared memory, and ``torch`` if the
    process will probably compute. It then loads torch before it knows, as the build may still be hashing.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the build, which ends its workers
    keep_freed_memory()
    connection = Connection(int(sys.argv[1]))
    if sys.argv[3] == "torch":
        import_module("pipelines.pipeline")
    try:
        setup: Setup = connection.recv()
        processor = Processor(setup, mmap.mmap(int(sys.argv[2]), 0))
        gc.freeze()  # imported modules stay: collections need not scan them
        while True:
            task = connection.recv()
            try:
                result: ComputedClips | Exception = processor.process(task)
            except Exception as error:  # noqa: BLE001 # the build raises it
                result = make_portable(error)
            connection.send(result)
    except (EOFError, ConnectionError):
        return
