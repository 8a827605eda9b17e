"""GPU computation: views per second, differences from the CPU, and a comparison with DALI's operators.

python benchmarks/gpu.py                      compute alone, parity, operators
python benchmarks/build.py --device cuda --decoder dali --clips 12162 --corpora corpora    end to end
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from machine import write_result

from pipelines.device import choose_device
from pipelines.features.extract import FeatureExtractor
from pipelines.pipeline import Pipeline
from schemas.features import named_features
from schemas.recipe import load_recipe
from schemas.spec import StoreSpec

BATCH = 64


def voices(count: int) -> list[npt.NDArray[np.float32]]:
    """Voice-like sounds of 1.5 to 3.5 s at 22,050 Hz: harmonics with a gliding pitch, and noise."""
    rng = np.random.default_rng(0)
    sounds = []
    for number in range(count):
        time_s = np.arange(int(22_050 * (1.5 + 2 * number / count))) / 22_050
        phase = 2 * np.pi * (90 + 3 * number) * (time_s - 0.02 * np.cos(9 * time_s))
        sound = sum(0.2 / k * np.sin(k * phase) for k in range(1, 13))
        sounds.append((sound + 0.005 * rng.standard_normal(len(time_s))).astype(np.float32))
    return sounds


def timed(work: Callable[[], object], device: torch.device, repeat: int) -> float:
    """Median seconds per call, including the work on the device."""
    times = []
    for run in range(repeat + 3):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        if run >= 3:
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def differences(spec: StoreSpec, device: torch.device) -> dict[str, dict[str, float]]:
    """Mean absolute difference from the CPU by feature and view."""
    sounds = voices(BATCH)
    names = [f"voice/{number}" for number in range(BATCH)]
    there, here = Pipeline(spec, device), Pipeline(spec, torch.device("cpu"))
    whole = there(names, sounds) if there.clips_at_once > 1 else None
    out: dict[str, dict[str, list[float]]] = {}
    for number, (name, sound) in enumerate(zip(names, sounds, strict=True)):
        other = whole.clip(number) if whole else there([name], [sound])
        mine = here([name], [sound]).arrays
        for feature, values in other.arrays.items():
            error = np.abs(values.astype(np.float32) - mine[feature].astype(np.float32)).mean(axis=(1, 2, 3))
            for view, value in zip(spec.view_names, error, strict=True):
                out.setdefault(feature, {}).setdefault(view, []).append(float(value))
    return {f: {view: max(values) for view, values in views.items()} for f, views in out.items()}


def operators(spec: StoreSpec, device: torch.device, repeat: int) -> dict[str, float]:
    """Seconds for mel dB and MFCC of 448 waveforms of 3 s, with ours and with DALI's if it is installed."""
    waveforms = torch.randn(7 * BATCH, spec.length, device=device) * 0.1
    names = spec.model_copy(update={"features": named_features("mel,mfcc", spec.features)})
    extract = FeatureExtractor(names, device)
    with torch.inference_mode():
        seconds = {"torch": timed(lambda: extract.table([waveforms]), device, repeat)}
    if find_spec("nvidia") is not None and find_spec("nvidia.dali") is not None:
        seconds["DALI"] = timed(_dali_features(waveforms, device), device, repeat)
    return seconds


def _dali_features(waveforms: torch.Tensor, device: torch.device) -> Callable[[], Any]:
    from nvidia.dali import Pipeline as DaliPipeline
    from nvidia.dali import fn

    on = "gpu" if device.type == "cuda" else "cpu"
    pipeline = DaliPipeline(len(waveforms), 4, 0 if on == "gpu" else None, prefetch_queue_depth=1)
    window = np.hanning(2049)[:-1].astype(np.float32).tolist()  # periodic
    with pipeline:
        sound = fn.external_source(name="sound", device=on, ndim=1, no_copy=on == "gpu")
        options = {"nfft": 2048, "window_length": 2048, "window_step": 512, "window_fn": window}
        power = fn.spectrogram(sound, reflect_padding=False, **options)
        mel = fn.mel_filter_bank(power, sample_rate=22_050, nfilter=128, mel_formula="slaney", normalize=True)
        decibels = fn.to_decibels(mel, multiplier=10.0, reference=1.0, cutoff_db=-100.0)
        pipeline.set_outputs(decibels, fn.mfcc(decibels, n_mfcc=40, normalize=True))
    pipeline.build()

    batch = list(waveforms) if on == "gpu" else list(waveforms.numpy())

    def run() -> Any:
        pipeline.feed_input("sound", batch)
        return pipeline.run()

    return run


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cpu tests this program without a GPU")
    parser.add_argument("--repeat", type=int, default=20)
    options = parser.parse_args()
    device = choose_device(options.device)
    recipe = load_recipe("four-corpora-a").store_spec(6)
    spec = recipe.model_copy(update={"features": named_features("all", recipe.features)})
    pipeline = Pipeline(spec, device)
    count = pipeline.clips_at_once
    sounds, names = voices(count), [str(number) for number in range(count)]
    seconds = timed(lambda: pipeline(names, sounds), device, options.repeat)
    result: dict[str, Any] = {
        "command": " ".join(["python", "benchmarks/gpu.py", *sys.argv[1:]]),
        "views_per_s": len(spec.view_names) * count / seconds,
        "clips_per_s": count / seconds,
    }
    parts: dict[str, Callable[[], object]] = {
        "mean_difference_from_cpu": lambda: differences(spec, device),
        "mel_and_mfcc_of_448_waveforms_s": lambda: operators(spec, device, options.repeat),
    }
    out = "gpu" if device.type == "cuda" else "gpu-tried-on-cpu"
    write_result(out, result)
    for name, measure in parts.items():  # written after each: a part that fails loses no other
        result[name] = measure()
        write_result(out, result)
    for name, value in result.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
