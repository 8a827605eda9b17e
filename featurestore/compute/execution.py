"""Computes units in sequence, while later clips are decoded and earlier units written."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

from featurestore.compute.commit import commit_unit
from featurestore.compute.imported import take_over
from featurestore.compute.processing import ProcessedClip, compute_clips, launch_clips
from featurestore.compute.read_ahead import read_ahead
from featurestore.compute.reader import ReadClip, ReadSettings
from featurestore.compute.reading_order import clips_in_reading_order, longest_group
from featurestore.compute.stages import Stages
from featurestore.compute.unit import UnitResult, gather_unit
from featurestore.compute.worker_pool import WorkerPool
from featurestore.compute.worker_processes import WorkerProcesses, use_processes
from featurestore.compute.writers import choose_writers
from featurestore.format.arrays import ShardEncoder
from featurestore.format.documents import UnitRecord
from featurestore.places.lease import Fence
from featurestore.places.place import Place
from featurestore.plan.growth import UnitWork
from featurestore.plan.units import SourceClip
from featurestore.progress import Advance, Progress
from pipelines.decoders import Decoder
from pipelines.device import DeviceKind, choose_device
from schemas.spec import StoreSpec

if TYPE_CHECKING:
    from pipelines.pipeline import Pipeline


@dataclass(frozen=True)
class Execution:
    """Computes units on this machine.

    ``jobs`` clips are decoded, and on CPU computed, at the same time. Processes do this for many clips,
    threads for few (processes would take longer to start than they save) and for DALI. Times are added to
    ``stages``; ``fallbacks`` counts recordings that soundfile read instead of the requested decoder, by
    reason.
    """

    place: Place
    token: str
    """Identifies this build; a unit is written only as long as no later build has started."""
    device: DeviceKind
    decoder: Decoder
    jobs: int
    stages: Stages
    fallbacks: Counter[str]
    encoders: Mapping[str, Path] = field(default_factory=dict)
    """Folder of the weights of each encoder feature."""
    writers: int | None = None
    """Units written at the same time, each by its own thread; None: as many as the machine can feed."""
    started: WorkerProcesses | None = None
    """``jobs`` processes that were started while it was still unclear what there is to compute."""
    device_lock: AbstractContextManager[object] = field(default_factory=nullcontext)
    """Held while a GPU gets a batch, if units of other threads share it. They read meanwhile."""

    def run(self, units: Sequence[UnitWork], progress: Progress) -> Generator[UnitRecord]:
        """Compute and commit ``units``; yields the record of each when it is durable."""
        clips = sum(len(work.unit.clips) for work in units)
        with progress.task("build", clips, "clips") as advance:
            # Growing units and new ones compute different parts: one set of workers for each.
            for spec, group in groupby(units, lambda work: work.compute):
                yield from self._run(spec, list(group), advance)

    def _run(self, spec: StoreSpec, units: Sequence[UnitWork], advance: Advance) -> Generator[UnitRecord]:
        sources = [source for work in units for source in clips_in_reading_order(work.unit)]
        encoder = ShardEncoder(units[0].spec)
        count = self.writers or choose_writers(spec)
        with (
            ThreadPoolExecutor(count, thread_name_prefix="write") as writers,
            closing(self._process(spec, sources)) as processed,
        ):
            clips = self._count_fallbacks(processed)
            pending: deque[Future[UnitRecord]] = deque()
            for work in units:
                result = gather_unit(work, clips, advance, self.stages)
                _raise_failure(pending)
                if len(pending) == count:
                    yield self._wait_for_write(pending.popleft())
                pending.append(writers.submit(self._write, result, encoder))
                del result  # its arrays live as long as they are being written
            while pending:
                yield self._wait_for_write(pending.popleft())

    def _process(self, spec: StoreSpec, sources: Sequence[SourceClip]) -> Generator[ProcessedClip]:
        """Compute the clips' features ahead; yields the clips in order."""
        on_cpu = self.device == "cpu"
        by_processes = use_processes(self.decoder, self.jobs, len(sources))
        started = self.started.take() if self.started and by_processes else None
        if on_cpu and by_processes:
            with WorkerPool(
                spec,
                self.jobs,
                self.stages,
                encoders=self.encoders,
                started=started,
                most_segments=longest_group(sources),
            ) as pool:
                yield from pool.process(sources)
            return
        pipeline = _pipeline(spec, self.device, tuple(sorted(self.encoders.items())))
        settings = ReadSettings(
            spec.audio, pipeline.window, self.jobs, self.decoder, self.stages, pipeline.untrimmed
        )
        if on_cpu:  # the thread that decodes a clip also computes it
            alone = read_ahead(
                sources, settings, lambda read: compute_clips(pipeline, [read], self.stages)[0]
            )
            with closing(alone) as clips:
                yield from clips
        elif by_processes:
            with WorkerPool(
                spec,
                self.jobs,
                self.stages,
                "samples",
                started=started,
                most_segments=longest_group(sources),
            ) as pool:
                yield from self._compute_batches(pipeline, pool.read(sources))
        else:
            with closing(read_ahead(sources, settings, lambda read: read)) as reads:
                yield from self._compute_batches(pipeline, reads)

    def _compute_batches(self, pipeline: Pipeline, reads: Iterator[ReadClip]) -> Generator[ProcessedClip]:
        """Compute batches of clips; the device has the next one before this thread turns to the results."""
        launched: Callable[[], list[ProcessedClip]] | None = None
        while batch := list(islice(reads, pipeline.clips_at_once)):
            before = launched
            with self.device_lock:
                launched = launch_clips(pipeline, batch, self.stages)
            if before is not None:
                yield from before()
            del before  # and its memory, before the next batch needs some
        if launched is not None:
            yield from launched()

    def _count_fallbacks(self, clips: Iterable[ProcessedClip]) -> Iterator[ProcessedClip]:
        for clip in clips:
            self.fallbacks.update([clip.read.fallback] if clip.read.fallback and clip.features else [])
            yield clip

    def _write(self, result: UnitResult, encoder: ShardEncoder) -> UnitRecord:
        with self.stages.measure("write"):
            imported = take_over(self.place, result.work, result.clips)
            fence = Fence(self.place, self.token)
            return commit_unit(self.place, result, imported, encoder, fence, self.stages)

    def _wait_for_write(self, pending: Future[UnitRecord]) -> UnitRecord:
        with self.stages.measure("waiting for write"):
            return pending.result()


def _raise_failure(pending: Iterable[Future[UnitRecord]]) -> None:
    """Raise the error of a unit that could not be written, without waiting for those before it."""
    for future in pending:
        if future.done():
            future.result()


@lru_cache(maxsize=2)
def _pipeline(spec: StoreSpec, device: DeviceKind, encoders: tuple[tuple[str, Path], ...]) -> Pipeline:
    """Cached: a worker of a cluster computes many units, one after another, with the same pipeline."""
    from pipelines.pipeline import Pipeline  # processes that only gather and write do not load torch

    return Pipeline(spec, choose_device(device), dict(encoders))
