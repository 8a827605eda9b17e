"""Error of the estimated SNR on recordings with added noise.

python benchmarks/snr.py --corpora corpora
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from corpus import corpora_of
from machine import write_result

from pipelines.quality import measure_quality

RATE = 22_050
LEVELS_DB = (0, 5, 10, 15, 20)
"""Well above the noise of the recordings, so that the added noise dominates."""

Samples = npt.NDArray[np.float32]


def noise(colour: str, count: int, rng: np.random.Generator) -> Samples:
    """White noise, or pink noise with power that falls as 1 / frequency."""
    white = rng.standard_normal(count)
    if colour == "white":
        return white.astype(np.float32)
    spectrum = np.fft.rfft(white)
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    return np.fft.irfft(spectrum, n=count).astype(np.float32)


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=60)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    errors: dict[str, list[float]] = {"white": [], "pink": []}
    with tempfile.TemporaryDirectory() as folder:
        _, files = corpora_of(options.corpora, "all", options.clips, Path(folder))
        for file in files:
            channels, rate = soundfile.read(file, dtype="float32", always_2d=True)
            clean = soxr.resample(channels.mean(axis=1), rate, RATE)
            for colour, found in errors.items():
                for level in LEVELS_DB:
                    added = noise(colour, len(clean), rng)
                    added *= np.sqrt(np.square(clean).sum() / np.square(added).sum() / 10 ** (level / 10))
                    noisy = (clean + added).astype(np.float32)
                    estimate = measure_quality(noisy[:, None], noisy, RATE).snr_db
                    found.append(np.inf if estimate is None else abs(estimate - level))
    figures = {
        colour: {"median_db": float(np.median(found)), "90_percent_within_db": float(np.quantile(found, 0.9))}
        for colour, found in errors.items()
    }
    print(figures)
    command = " ".join(["python", "benchmarks/snr.py", *sys.argv[1:]])
    print(write_result("snr", {"command": command, "clips": len(files), "absolute_error": figures}))


if __name__ == "__main__":
    main()
