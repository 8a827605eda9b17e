"""How fast a store is built, against the librosa loop that the published projects use.

    python benchmarks/build.py --corpora corpora --datasets ravdess --clips 256

Both read the same recordings, trim them, make the original and the six views of recipe four-corpora-a, and
compute mel dB, MFCC, RMS and ZCR. Ours also hashes, compresses and writes a store; the loop keeps nothing.
Runs alternate, figures are medians.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
from machine import write_result

from data.demo import write_demo
from data.locate import locate
from featurestore.build import BuildRequest, build
from featurestore.spec_choice import SpecRequest

Samples = npt.NDArray[np.float32]
RATE, LENGTH = 22_050, 66_150


def librosa_views(y: Samples, rng: np.random.Generator) -> list[Samples]:
    """The original and the six views as such scripts make them."""
    noise = rng.standard_normal(len(y)).astype(np.float32)
    noise *= np.sqrt(np.mean(y**2) / np.mean(noise**2) / 10 ** rng.uniform(1, 3))
    return [
        y,
        y + noise,
        librosa.effects.pitch_shift(y, sr=RATE, n_steps=2),
        librosa.effects.pitch_shift(y, sr=RATE, n_steps=-2),
        np.roll(y, rng.integers(-len(y) // 5, len(y) // 5)),
        librosa.resample(y, orig_sr=4, target_sr=5, res_type="soxr_hq"),
        librosa.resample(y, orig_sr=5, target_sr=4, res_type="soxr_hq"),
    ]


def librosa_clip(path: Path, rng: np.random.Generator) -> None:
    """One recording through the loop's body."""
    y, _ = librosa.load(path, sr=RATE)
    y, _ = librosa.effects.trim(y, top_db=40)
    for view in librosa_views(y[:LENGTH], rng):
        fixed = librosa.util.fix_length(view, size=LENGTH)
        librosa.power_to_db(librosa.feature.melspectrogram(y=fixed, sr=RATE))
        librosa.feature.mfcc(y=fixed, sr=RATE, n_mfcc=40)
        librosa.feature.rms(y=fixed)
        librosa.feature.zero_crossing_rate(fixed)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--corpora", type=Path, help="corpora root; without it, the demo voices are synthesised"
    )
    parser.add_argument("--datasets", default="all")
    parser.add_argument("--clips", type=int, default=256, help="clips for ours")
    parser.add_argument("--librosa-clips", type=int, default=32, help="clips for the loop")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        corpora = _some_clips(options, Path(scratch))
        files = sorted(corpora.rglob("*.wav"))
        librosa_clip(files[0], np.random.default_rng(0))  # compiles
        ours, loop = [], []
        for run in range(options.repeat):
            out = Path(scratch) / f"{run}.zarr"
            report = build(
                BuildRequest(
                    out=out, corpora=corpora, datasets=_datasets(options), spec=SpecRequest(augment=6)
                )
            )
            ours.append(report.clips_built / report.seconds)
            started = time.perf_counter()
            chosen = files[:: max(1, len(files) // options.librosa_clips)][: options.librosa_clips]
            for file in chosen:
                librosa_clip(file, np.random.default_rng(0))
            loop.append(len(chosen) / (time.perf_counter() - started))
    result = {
        "command": " ".join(["python", "benchmarks/build.py", *sys.argv[1:]]),
        "clips": len(files),
        "views": 7,
        "clips_per_s": {"ours": statistics.median(ours), "librosa, 1 process": statistics.median(loop)},
        "all_runs": {"ours": ours, "librosa, 1 process": loop},
        "ratio": statistics.median(a / b for a, b in zip(ours, loop, strict=True)),
    }
    print(f"ours {statistics.median(ours):.1f} clips/s, librosa loop {statistics.median(loop):.1f} clips/s")
    print(write_result("build", result))


def _datasets(options: argparse.Namespace) -> str:
    return options.datasets if options.corpora else "demo"


def _some_clips(options: argparse.Namespace, scratch: Path) -> Path:
    """A corpora root with about ``options.clips`` recordings, spread over the speakers."""
    source = options.corpora or scratch / "whole"
    if options.corpora is None:
        write_demo(source)
    root = scratch / "corpora"
    for corpus, path in locate(_datasets(options), source).found:
        scan = corpus.scan(path)
        for clip in scan.clips[:: max(1, len(scan.clips) // options.clips)][: options.clips]:
            target = root / corpus.name / clip.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path / clip.path, target)
    return root


if __name__ == "__main__":
    main()
