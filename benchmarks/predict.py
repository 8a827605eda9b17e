"""How fast recordings are told: model A on one core, from the file to the emotion.

    python benchmarks/predict.py

A store of the demo voices is built and model A trained on it for one epoch, for speed does not depend on what
was learnt. Then every recording of them is told, one by one, and one of ten minutes in windows of 3 s. One
thread.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from machine import write_result

from data.demo import write_demo
from featurestore.build import BuildRequest, build
from featurestore.spec_choice import SpecRequest
from schemas.overrides import overridden
from schemas.recipe import load_recipe
from training.predict import Predictor
from training.request import Hardware, TrainRequest
from training.train import train

LONG_S = 600


def trained(scratch: Path) -> Path:
    """Folder of a run of model A on the demo voices."""
    write_demo(scratch)
    build(BuildRequest(scratch / "demo.zarr", scratch, "demo", SpecRequest(augment=0)))
    recipe = overridden(load_recipe("four-corpora-a"), ["datasets=null", "train.epochs=1"])
    request = TrainRequest(
        store=scratch / "demo.zarr", recipe=recipe, output=scratch / "runs", hardware=Hardware("cpu")
    )
    return train(request).folder.path


def measure(scratch: Path, repeat: int) -> dict[str, float]:
    """Seconds of sound that are told in a second, clip by clip and in windows; medians."""
    run = trained(scratch)
    torch.set_num_threads(1)
    begun = time.perf_counter()
    predictor = Predictor.open(run, "cpu")
    opening = time.perf_counter() - begun
    files = sorted((scratch / "demo").rglob("*.wav"))
    seconds = sum(soundfile.info(file).duration for file in files)
    speech = np.concatenate([soundfile.read(file, dtype="float32")[0] for file in files])
    rate = soundfile.info(files[0]).samplerate
    long = scratch / "long.wav"
    soundfile.write(long, np.resize(speech, LONG_S * rate), rate)
    clips, windows = [], []
    for _ in range(repeat):
        begun = time.perf_counter()
        for file in files:
            predictor.predict(file)
        clips.append(seconds / (time.perf_counter() - begun))
        begun = time.perf_counter()
        list(predictor.timeline(long, 3.0, 1.0))
        windows.append(LONG_S / (time.perf_counter() - begun))
    return {
        "opening_s": opening,
        "clips": len(files),
        "mean_clip_s": seconds / len(files),
        "times_real_time_clips": statistics.median(clips),
        "times_real_time_windows": statistics.median(windows),
    }


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(Path(scratch), options.repeat)
    clips, windows = found["times_real_time_clips"], found["times_real_time_windows"]
    print(f"times real time: {clips:.0f} clip by clip, of {found['mean_clip_s']:.1f} s each")
    print(f"times real time: {windows:.0f} in windows of 3 s, a second apart")
    print(write_result("predict", {"repeat": options.repeat, **found}))


if __name__ == "__main__":
    main()
