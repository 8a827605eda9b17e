"""Recordings on two sides of a split that are the same sound under different names. No torch.

A SHA-256 finds only byte-identical copies. Here the fingerprints of all clips of one side are compared with
those of another side, and the few similar pairs are aligned and compared frame by frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from featurestore.store import FeatureStore
from schemas.clip import Status
from training.audits.aligned import difference_db
from training.audits.fingerprints import Fingerprint, fingerprints_of
from training.audits.sounds import Floats, SoundSource, can_hear
from training.splits.side import SIDES
from training.splits.split import Split

ALIKE = 0.965
"""Least cosine similarity of the fingerprints of a pair that is compared frame by frame."""

ALIKE_IF_CUT = 0.92
"""The same if the store's window cuts both clips, at slightly different points."""

SAME_DB = 1.5
"""Largest difference between a copy and its original."""

MOST_CANDIDATES = 10_000
"""Most pairs to compare frame by frame, the most similar first; more mean thousands of copies."""

_CLIPS_AT_ONCE = 2048
"""Clips of each side compared at a time: 16 MB of products."""

_PAIRS_AT_ONCE = 512
"""Pairs whose sounds are in memory at a time."""


@dataclass(frozen=True, order=True)
class Pair:
    """Two clips that are the same sound, and the remaining difference between them."""

    clip_a: str
    clip_b: str
    difference_db: float


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """Fingerprints of clips of a store, for searching several splits of them."""

    store: FeatureStore
    positions: NDArray[np.int64]
    """(n,), ascending, of usable clips."""
    prints: Fingerprint

    @classmethod
    def of(cls, store: FeatureStore, *splits: Split) -> Fingerprints:
        """Compute the fingerprints of all clips of ``splits`` in ``store``.

        Raises :class:`UsageError` if the store holds neither mel nor MFCC.
        """
        found = [split.positions(store.manifest, side) for split in splits for side in SIDES]
        positions = np.unique(np.concatenate(found))
        usable = (store.manifest["status"] == Status.OK).to_numpy()
        positions = positions[usable[positions]]
        return cls(store, positions, fingerprints_of(store, positions))

    def across(self, split: Split) -> tuple[Pair, ...]:
        """All pairs of clips on different sides of ``split`` that are one recording, sorted by clip ids.

        A clip with views on several sides is not paired with itself.
        """
        members = {side: self._indices(split.positions(self.store.manifest, side)) for side in SIDES}
        candidates = _Candidates()
        for one, other in combinations(SIDES, 2):
            for rows, columns in _blocks(members[one], members[other]):
                products = self.prints.values[rows] @ self.prints.values[columns].T
                candidates.add(rows, columns, products, ALIKE)
            filled = [np.intersect1d(members[side], self.prints.filled) for side in (one, other)]
            for rows, columns in _blocks(*filled):
                moved = self.prints.shifted[:, np.searchsorted(self.prints.filled, rows)]
                products = np.matmul(moved, self.prints.values[columns].T).max(axis=0)
                candidates.add(rows, columns, products, ALIKE_IF_CUT)
        return tuple(sorted(self._same(candidates.pairs())))

    def _indices(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.flatnonzero(np.isin(self.positions, positions))

    def _same(self, pairs: NDArray[np.int64]) -> Iterator[Pair]:
        source = SoundSource.of(self.store.spec)
        clip_ids = self.store.manifest["clip_id"].to_numpy()[self.positions]
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            part = pairs[start : start + _PAIRS_AT_ONCE]
            needed = np.unique(part)
            sounds = source.read(self.store, self.positions[needed])
            for a, b in part:
                i, j = np.searchsorted(needed, [a, b])
                difference = difference_db(sounds, int(i), int(j), source.frames_per_second)
                if difference <= SAME_DB:
                    first, second = sorted((str(clip_ids[a]), str(clip_ids[b])))
                    yield Pair(first, second, difference)


class _Candidates:
    """Pairs of similar clips, limited to the most similar ones."""

    def __init__(self) -> None:
        self._found: list[tuple[NDArray[np.int64], Floats]] = []
        self._count = 0

    def add(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], products: Floats, least: float
    ) -> None:
        """Add the pairs with at least ``least`` in ``products`` (rows, columns)."""
        i, j = np.nonzero(products >= least)
        pairs = np.sort(np.stack([rows[i], columns[j]], axis=1), axis=1)
        real = pairs[:, 0] < pairs[:, 1]
        self._found.append((pairs[real], products[i, j][real]))
        self._count += int(real.sum())
        if self._count > 4 * MOST_CANDIDATES:
            self._prune()

    def pairs(self) -> NDArray[np.int64]:
        """Distinct pairs, (n, 2)."""
        self._prune()
        return np.unique(self._found[0][0], axis=0)

    def _prune(self) -> None:
        pairs = np.concatenate([pairs for pairs, _ in self._found] or [np.empty((0, 2), dtype=np.int64)])
        products = np.concatenate([products for _, products in self._found] or [np.empty(0, np.float32)])
        kept = np.argsort(-products, kind="stable")[:MOST_CANDIDATES]
        self._found = [(pairs[kept], products[kept])]
        self._count = len(kept)


def near_duplicates(store: FeatureStore, split: Split) -> tuple[Pair, ...] | None:
    """Pairs of clips on different sides of ``split`` that are the same recording under two names.

    None if ``store`` holds neither mel nor MFCC, which the search needs. Clips of ``split`` that are not in
    ``store`` are skipped.

    Measured on 2,840 clips of 24 RAVDESS speakers and both TESS speakers: of the four million pairs, only
    the two that are the same file are reported as copies. All 960 copies of 80 clips (Ogg Vorbis, MP3, 8 to
    44.1 kHz, scaled, cut, padded, with noise 30 dB below) are found. Not found are copies with loud noise (8
    bits of a quiet clip), at another speed, of another part, or shorter than
    :data:`~training.audits.aligned.LEAST_SECONDS`.
    """
    if not can_hear(store.spec):
        return None
    return Fingerprints.of(store, split).across(split)


def _blocks(
    one: NDArray[np.int64], other: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    for i in range(0, len(one), _CLIPS_AT_ONCE):
        for j in range(0, len(other), _CLIPS_AT_ONCE):
            yield one[i : i + _CLIPS_AT_ONCE], other[j : j + _CLIPS_AT_ONCE]
