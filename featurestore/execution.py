"""Units computed and committed one after another: recordings decoded ahead, finished units written behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from featurestore.commit import commit_unit
from featurestore.documents import UnitRecord
from featurestore.plan import SourceClip, Unit
from featurestore.processing import ProcessedClip, compute_clips
from featurestore.progress import Progress
from featurestore.reader import ReadClip, Reading, read_ahead
from featurestore.stages import Stages
from featurestore.unit import UnitResult, gather_unit
from featurestore.worker_pool import WorkerPool
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

    store: Path
    spec: StoreSpec
    device: torch.device
    decoder: Decoder
    jobs: int
    stages: Stages
    fallbacks: Counter[str]

    def run(self, units: Sequence[Unit], progress: Progress) -> Generator[UnitRecord]:
        """Compute and commit ``units`` in order, giving each one's record when it is durable."""
        sources = [source for unit in units for source in unit.clips]
        with (
            closing(self._processed(sources)) as clips,
            progress.task("build", len(sources), "clips") as advance,
            ThreadPoolExecutor(1, thread_name_prefix="write") as writer,
        ):
            counted = self._counted(clips)
            pending: Future[UnitRecord] | None = None
            for unit in units:
                result = gather_unit(unit, self.spec, counted, advance, self.stages)
                if pending is not None:
                    yield self._written(pending)
                pending = writer.submit(self._write, result)
            if pending is not None:
                yield self._written(pending)

    def _processed(self, sources: Sequence[SourceClip]) -> Generator[ProcessedClip]:
        """The clips with their features, in order, computed ahead."""
        on_cpu = self.device.type == "cpu"
        by_processes = self.decoder == "soundfile" and self.jobs > 1 and len(sources) >= MANY_CLIPS
        if on_cpu and by_processes:
            with WorkerPool(self.spec, self.jobs, self.stages) as pool:
                yield from pool.process(sources)
            return
        pipeline = Pipeline(self.spec, self.device)
        reading = Reading(self.spec.audio, pipeline.window, self.jobs, self.decoder, self.stages)
        if on_cpu:  # the thread that has decoded a clip computes it
            alone = read_ahead(sources, reading, lambda read: compute_clips(pipeline, [read], self.stages)[0])
            with closing(alone) as clips:
                yield from clips
        elif by_processes:
            with WorkerPool(self.spec, self.jobs, self.stages, "samples") as pool:
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

    def _write(self, result: UnitResult) -> UnitRecord:
        with self.stages.timed("write"):
            return commit_unit(self.store, result)

    def _written(self, pending: Future[UnitRecord]) -> UnitRecord:
        with self.stages.timed("waiting for write"):
            return pending.result()
