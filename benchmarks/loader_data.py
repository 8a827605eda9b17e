"""Data of all loaders of benchmarks/loader.py, and a measure of how well an order is mixed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from featurestore.store import FeatureStore
from training.samples.samples import Samples, cross

FEATURES = ("mel", "mfcc", "rms", "zcr")
BATCH = 32
WINDOW = 8192
"""Number of samples that are mixed with each other: 256 chunks of 32 clips."""


@dataclass(frozen=True, eq=False)
class Data:
    """Every clip in every view; the target of a sample is its index, which reveals the order."""

    store: FeatureStore
    samples: Samples

    @classmethod
    def of(cls, store: Path) -> Data:
        """Samples of a store."""
        opened = FeatureStore.open(store)
        clips = np.arange(len(opened.manifest))
        views = range(len(opened.spec.view_names))
        crossed = cross(clips, clips, tuple(views))
        return cls(opened, Samples(crossed.clips, crossed.views, np.arange(len(crossed))))

    @property
    def shape(self) -> tuple[int, int]:
        """Coefficients and frames of a sample."""
        return sum(self.store.spec.coefficients[name] for name in FEATURES), self.store.spec.frames

    @property
    def sample_bytes(self) -> int:
        """Bytes of a sample's features in float16."""
        return 2 * self.shape[0] * self.shape[1]

    def arrays(self) -> Iterator[tuple[int, npt.NDArray[np.float16]]]:
        """Index and features (coefficients, frames) of every sample, in stored order."""
        clips = len(self.store.manifest)
        for view in range(len(self.store.spec.view_names)):
            for start in range(0, clips, 256):
                rows = np.arange(start, min(start + 256, clips))
                read = self.store.read(rows, views=(view,), features=FEATURES)
                stacked = np.concatenate([read[name][0] for name in FEATURES], axis=1)
                yield from zip((view * clips + rows).tolist(), stacked, strict=True)

    def quality(self, order: npt.NDArray[np.int64]) -> dict[str, float]:
        """Compare an order of samples with a random permutation, for which all values are about 1.

        ``variance_*``: of the counts of each emotion, speaker and view in a batch, over the hypergeometric
        one; ``same_chunk``: neighbours that lie in the same 32 clips of a view, over what chance gives.
        """
        manifest = self.store.manifest
        clips = self.samples.clips
        of = {
            "emotion": manifest["emotion"].to_numpy()[clips],
            "speaker": manifest["speaker"].to_numpy()[clips],
            "view": self.samples.views,
        }
        batches = order[: len(order) // BATCH * BATCH].reshape(-1, BATCH)
        found = {}
        for name, values in of.items():
            _, codes = np.unique(values, return_inverse=True)
            observed = expected = 0.0
            for code in np.unique(codes):
                share = (codes == code).mean()
                observed += float((codes[batches] == code).sum(axis=1).var())
                expected += BATCH * share * (1 - share) * (len(codes) - BATCH) / (len(codes) - 1)
            found[f"variance_{name}"] = observed / expected
        chunk = self.samples.views * 10**6 + clips // 32
        _, sizes = np.unique(chunk, return_counts=True)
        chance = (sizes * (sizes - 1)).sum() / (len(chunk) * (len(chunk) - 1))
        found["same_chunk"] = float((chunk[order[1:]] == chunk[order[:-1]]).mean() / chance)
        return found


def drop_from_page_cache(folder: Path) -> None:
    """Drop the files under ``folder`` from the page cache."""
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
