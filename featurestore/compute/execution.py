"""Units computed and committed one after another: recordings decoded ahead, finished units written behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice

import torch

from featurestore.compute.commit import commit_unit
from featurestore.compute.processing import ProcessedClip, compute_clips
from featurestore.compute.reader import ReadClip, Reading, read_ahead
from featurestore.compute.stages import Stages
from featurestore.compute.unit import UnitResult, gather_unit
from featurestore.compute.worker_pool import WorkerPool
from featurestore.format.arrays import ShardEncoder
from featurestore.format.documents import UnitRecord
from featurestore.places.lease import Fence
from featurestore.places.place import Place
from featurestore.plan.growth import UnitWork
from featurestore.plan.units import SourceClip
from featurestore.progress import Advance, Progress
from pipelines.decoders import Decoder
from pipelines.pipeline import Pipeline
from schemas.spec import StoreSpec

MANY_CLIPS = 600
"""From here on worker processes win back the two seconds that they take to start."""


@dataclass(frozen=True)
class Execution:
    """How units are computed, and what is noted of it.

    ``jobs`` clips are decoded, and on CPU computed, at the same time: by processes where there are many, by
    threads where starting processes would take longer than it saves, and where DALI or a GPU is fed.
    ``stages`` and ``fallbacks`` (why the decoder that was asked for left recordings to soundfile → how many)
    are added to.
    """

    place: Place
    token: str
    """Of this build; a unit is written only while the place knows of no later build."""
    device: torch.device
    decoder: Decoder
    jobs: int
    stages: Stages
    fallbacks: Counter[str]

    def run(self, units: Sequence[UnitWork], progress: Progress) -> Generator[UnitRecord]:
        """Compute and commit ``units``, giving each one's record when it is durable."""
        clips = sum(len(work.unit.clips) for work in units)
        with (
            progress.task("build", clips, "clips") as advance,
            ThreadPoolExecutor(1, thread_name_prefix="write") as writer,
        ):
            # Units that were added to compute other parts than new ones: one set of workers for each.
            for spec, group in groupby(units, lambda work: work.compute):
                yield from self._run(spec, list(group), advance, writer)

    def _run(
        self, spec: StoreSpec, units: Sequence[UnitWork], advance: Advance, writer: ThreadPoolExecutor
    ) -> Generator[UnitRecord]:
        sources = [source for work in units for source in work.unit.clips]
        encoder = ShardEncoder(units[0].spec)
        with closing(self._processed(spec, sources)) as clips:
            counted = self._counted(clips)
            pending: Future[UnitRecord] | None = None
            for work in units:
                result = gather_unit(work, counted, advance, self.stages)
                if pending is not None:
                    yield self._written(pending)
                pending = writer.submit(self._write, result, encoder)
            if pending is not None:
                yield self._written(pending)

    def _processed(self, spec: StoreSpec, sources: Sequence[SourceClip]) -> Generator[ProcessedClip]:
        """The clips with their features, in order, computed ahead."""
        on_cpu = self.device.type == "cpu"
        by_processes = self.decoder == "soundfile" and self.jobs > 1 and len(sources) >= MANY_CLIPS
        if on_cpu and by_processes:
            with WorkerPool(spec, self.jobs, self.stages) as pool:
                yield from pool.process(sources)
            return
        pipeline = _pipeline(spec, self.device)
        reading = Reading(spec.audio, pipeline.window, self.jobs, self.decoder, self.stages)
        if on_cpu:  # the thread that has decoded a clip computes it
            alone = read_ahead(sources, reading, lambda read: compute_clips(pipeline, [read], self.stages)[0])
            with closing(alone) as clips:
                yield from clips
        elif by_processes:
            with WorkerPool(spec, self.jobs, self.stages, "samples") as pool:
                yield from self._in_batches(pipeline, pool.read(sources))
        else:
            with closing(read_ahead(sources, reading, lambda read: read)) as reads:
                yield from self._in_batches(pipeline, reads)

    def _in_batches(self, pipeline: Pipeline, reads: Iterator[ReadClip]) -> Generator[ProcessedClip]:
        while batch := list(islice(reads, pipeline.clips_at_once)):
            yield from compute_clips(pipeline, batch, self.stages)

    def _counted(self, clips: Iterable[ProcessedClip]) -> Iterator[ProcessedClip]:
        for clip in clips:
            self.fallbacks.update([clip.read.fallback] if clip.read.fallback and clip.features else [])
            yield clip

    def _write(self, result: UnitResult, encoder: ShardEncoder) -> UnitRecord:
        with self.stages.timed("write"):
            return commit_unit(self.place, result, encoder, Fence(self.place, self.token), self.stages)

    def _written(self, pending: Future[UnitRecord]) -> UnitRecord:
        with self.stages.timed("waiting for write"):
            return pending.result()


@lru_cache(maxsize=2)
def _pipeline(spec: StoreSpec, device: torch.device) -> Pipeline:
    """A worker of a cluster computes unit after unit with the same one."""
    return Pipeline(spec, device)
