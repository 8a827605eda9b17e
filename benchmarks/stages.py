"""Time of each stage on one core, for one clip with six views and all features.

python benchmarks/stages.py --corpora corpora
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from corpus import corpora_of
from machine import write_result

from pipelines.batch import ClipBatch
from pipelines.decode import decode
from pipelines.features.extract import FeatureExtractor
from pipelines.pipeline import Pipeline
from pipelines.process import compute_alone, keep_freed_memory
from pipelines.views.compute import augment, original
from pipelines.vocoder import HOP, N_FFT, frame_sizes
from schemas.features import named_features
from schemas.recipe import load_recipe
from schemas.spec import StoreSpec

FEATURES = ["rms,zcr", "mel", "mel,mfcc", "mel,mfcc,delta,delta2", "chroma"]


def with_features(spec: StoreSpec, names: str) -> StoreSpec:
    """The specification with different features."""
    return spec.model_copy(update={"features": named_features(names, spec.features)})


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, help="corpora root; default: synthesised demo voices")
    parser.add_argument("--datasets", default="all")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    keep_freed_memory()
    compute_alone()
    cpu = torch.device("cpu")
    spec = load_recipe("four-corpora-a").store_spec(6)
    extractors = {names: FeatureExtractor(with_features(spec, names), cpu) for names in FEATURES}
    pipeline = Pipeline(with_features(spec, "all"), cpu)
    stages: dict[str, Callable[[], object]]
    totals: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        _, files = corpora_of(options.corpora, options.datasets, options.clips, Path(folder))
        for file in files:
            data = file.read_bytes()
            samples = decode(data, spec.audio).samples
            waveform = torch.from_numpy(samples[: pipeline.window])[None]

            def batch(waveform: torch.Tensor = waveform) -> ClipBatch:
                length, rate = spec.length, spec.audio.sample_rate
                return ClipBatch(waveform, (waveform.shape[1],), ("clip",), 0, length, rate)

            views = [original(batch()), *(augment(batch(), view) for view in spec.views)]
            waveforms = [view.waveforms for view in views]
            stages = {
                "hash": lambda data=data: hashlib.sha256(data).digest(),
                "decode, resample, quality, trim": lambda data=data: decode(data, spec.audio),
                **{f"view {v.name}": lambda v=v, batch=batch: augment(batch(), v) for v in spec.views},
                **{f"features {n}": lambda e=e, w=waveforms: e.table(w) for n, e in extractors.items()},
                "pipeline, whole": lambda samples=samples: pipeline(["clip"], [samples]),
                "floor: its Fourier transforms": _transforms(waveforms, spec),
            }
            for name, stage in stages.items():
                totals[name] = totals.get(name, 0.0) + _median_ms(stage, options.repeat)
    figures = {name: total / len(files) for name, total in totals.items()}
    for name, figure in figures.items():
        print(f"{name:36} {figure:6.3f} ms")
    command = " ".join(["python", "benchmarks/stages.py", *sys.argv[1:]])
    print(write_result("stages", {"command": command, "ms_per_clip": figures}))


def _transforms(waveforms: list[torch.Tensor], spec: StoreSpec) -> Callable[[], object]:
    """Only the Fourier transforms of a clip with six views, on prepared numbers."""
    n_fft, hop = spec.spectral.n_fft, spec.spectral.hop_length
    framed = [torch.randn((wave.shape[1] + n_fft // 2) // hop + 1, n_fft) for wave in waveforms]
    count = (waveforms[0].shape[1] + N_FFT // 2) // HOP + 1
    analysed, spectra = torch.randn(count, N_FFT), torch.fft.rfft(torch.randn(count, N_FFT))
    sizes = [frame_sizes(2 ** (semitones / 12))[1] for semitones in (2, -2)]

    def run() -> None:
        for frames in (*framed, analysed):
            torch.fft.rfft(frames)
        for size in sizes:
            torch.fft.irfft(spectra, n=size)

    return run


def _median_ms(stage: Callable[[], object], repeat: int) -> float:
    stage()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        stage()
        times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times)


if __name__ == "__main__":
    main()
