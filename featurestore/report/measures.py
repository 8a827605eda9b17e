"""Durations and quality of the recordings: quantiles and histograms of manifest columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from schemas.clip import Status

HISTOGRAM_BINS = 40

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class Column:
    """A manifest column. ``scale`` converts its values to ``unit``; histograms stay within ``limits``."""

    name: str
    title: str
    unit: str
    limits: tuple[float, float]
    digits: int
    """Decimal places shown."""
    scale: float = 1.0


DURATION = Column("duration_s", "duration", "s", (0, 3600), digits=2)
QUALITY = (
    Column("snr_db", "estimated SNR", "dB", (-20, 100), digits=1),
    Column("loudness_lufs", "loudness", "LUFS", (-70, 0), digits=1),
    Column("silence_ratio", "silence", "% of frames", (0, 100), digits=1, scale=100),
    Column("clipping_ratio", "clipping", "% of samples", (0, 100), digits=3, scale=100),
    Column("peak", "peak", "% of full scale", (0, 100), digits=1, scale=100),
)


@dataclass(frozen=True)
class CorpusMeasure:
    """One column in one corpus: the number of ``known`` and ``unknown`` values, and their distribution.

    ``quantiles``: at :data:`QUANTILES`; None if nothing is known. ``above_zero``: number of values above 0.
    ``histogram``: clips in each bin of :attr:`Measure.edges`.
    """

    corpus: str
    known: int
    unknown: int
    above_zero: int
    quantiles: tuple[float, ...] | None
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class Measure:
    """One column of all usable clips, in ``column.unit``.

    ``edges`` : :data:`HISTOGRAM_BINS` + 1 bin edges; values outside the column's limits
    count in the outermost bins.
    """

    column: Column
    edges: tuple[float, ...]
    corpora: tuple[CorpusMeasure, ...]

    @property
    def known(self) -> int:
        """Number of known values in all corpora."""
        return sum(corpus.known for corpus in self.corpora)


@dataclass(frozen=True)
class FileFormat:
    """Recordings with one sample rate (Hz) and number of channels; None if the file does not give it."""

    corpus: str
    sample_rate: int | None
    channels: int | None
    clips: int


def measure(manifest: pd.DataFrame, corpora: tuple[str, ...], column: Column) -> Measure:
    """Distribution of ``column`` in each corpus, over usable clips. Null or non-finite values are unknown."""
    usable = manifest[manifest["status"] == Status.OK]
    with np.errstate(over="ignore"):  # untrusted numbers may be arbitrarily large
        values = usable[column.name].to_numpy(np.float64) * column.scale
    known = np.isfinite(values)
    bounded = np.clip(values, *column.limits)
    edges = _edges(bounded[known])
    datasets = usable["dataset"].to_numpy()
    return Measure(
        column,
        tuple(edges.tolist()),
        tuple(
            _of_corpus(name, values[of], bounded[of], edges)
            for name in corpora
            for of in [np.asarray(datasets == name)]
        ),
    )


def file_formats(manifest: pd.DataFrame) -> tuple[FileFormat, ...]:
    """Sample rates and channels of all recordings, including bad ones; most frequent of a corpus first."""
    keys = manifest[["dataset", "sample_rate", "channels"]]
    groups = keys.groupby(["dataset", "sample_rate", "channels"], dropna=False, observed=True).size()
    found = [
        FileFormat(str(name), _whole(rate), _whole(channels), int(clips))
        for name, rate, channels, clips in groups.reset_index(name="clips").itertuples(index=False, name=None)
    ]
    return tuple(sorted(found, key=lambda f: (f.corpus, -f.clips, f.sample_rate or 0, f.channels or 0)))


def _of_corpus(
    name: str,
    values: npt.NDArray[np.float64],
    bounded: npt.NDArray[np.float64],
    edges: npt.NDArray[np.float64],
) -> CorpusMeasure:
    known = np.isfinite(values)
    there = values[known]
    with np.errstate(over="ignore", invalid="ignore"):
        quantiles = tuple(float(q) for q in np.quantile(there, QUANTILES)) if len(there) else None
    return CorpusMeasure(
        corpus=name,
        known=len(there),
        unknown=len(values) - len(there),
        above_zero=int((there > 0).sum()),
        quantiles=quantiles,
        histogram=tuple(int(n) for n in np.histogram(bounded[known], edges)[0]),
    )


def _edges(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if high - low < 1e-6:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, HISTOGRAM_BINS + 1)


def _whole(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)
