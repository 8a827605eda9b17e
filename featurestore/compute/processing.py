"""Computes the features of clips, in a thread of this process or in a worker process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurestore.compute.reader import ReadClip
from featurestore.compute.stages import Stages
from pipelines.feature_batch import FeatureBatch

if TYPE_CHECKING:
    from pipelines.pipeline import Pipeline


@dataclass(frozen=True)
class ProcessedClip:
    """A clip that was read, and its features as a batch of one (None for an unusable recording)."""

    read: ReadClip
    features: FeatureBatch | None


def compute_clips(pipeline: Pipeline, reads: Sequence[ReadClip], stages: Stages) -> list[ProcessedClip]:
    """Compute the features of the usable clips among ``reads``, at most ``pipeline.clips_at_once``."""
    return launch_clips(pipeline, reads, stages)()


def launch_clips(
    pipeline: Pipeline, reads: Sequence[ReadClip], stages: Stages
) -> Callable[[], list[ProcessedClip]]:
    """Have the device compute the features; the function that is returned waits for them."""
    usable = [read for read in reads if read.recording is not None]
    if not usable:
        return lambda: [ProcessedClip(read, None) for read in reads]
    recordings = [read.recording for read in usable if read.recording is not None]
    with stages.measure("compute"):
        collect = pipeline.launch(
            [read.source.clip.clip_id for read in usable],
            [recording.samples for recording in recordings],
            [recording.untrimmed for recording in recordings],
        )

    def wait() -> list[ProcessedClip]:
        with stages.measure("compute"):
            batch = collect()
        features = (batch.clip(index) for index in range(len(usable)))
        return [ProcessedClip(read, next(features) if read.recording else None) for read in reads]

    return wait
