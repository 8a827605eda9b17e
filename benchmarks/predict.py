"""Speed of prediction with model A on one core, compared with a script that uses librosa.

    python benchmarks/predict.py

A store of the demo voices is built, and model A is trained on it for one epoch, as the speed does not depend
on what the model has learnt. Then every recording is predicted one by one, by the predictor and by a script
that computes the same features with librosa and uses the same network, and one recording of ten minutes is
predicted in windows of 3 s. All with one thread. Finally the command is timed from its call to the printed
row, with its peak memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
from machine import write_result
from memory import peak_memory
from peers.librosa_loop import RATE, load
from threadpoolctl import threadpool_limits

from data.demo import write_demo
from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from schemas.overrides import override
from schemas.recipe import load_recipe
from training.predict.predictor import Predictor
from training.runs.request import Hardware, TrainRequest
from training.train import train

LONG_S = 600
COMMAND = "import sys; from training.cli.predict import main; sys.argv[0] = 'ser-predict'; main()"


def trained(scratch: Path) -> Path:
    """Folder of a run of model A on the demo voices."""
    write_demo(scratch)
    build(BuildRequest(scratch / "demo.zarr", scratch, "demo", SpecRequest(augment=0)))
    recipe = override(load_recipe("four-corpora-a"), ["datasets=null", "train.epochs=1"])
    request = TrainRequest(
        store=scratch / "demo.zarr", recipe=recipe, output=scratch / "runs", hardware=Hardware("cpu")
    )
    return train(request).folder.path


def script_of(predictor: Predictor) -> Callable[[Path], object]:
    """Predict a clip like a published script: features by librosa, then the network."""

    def predict(file: Path) -> object:
        y = load(file)
        features = np.concatenate(
            [
                librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=RATE)),
                librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=40),
                librosa.feature.rms(y=y),
                librosa.feature.zero_crossing_rate(y),
            ]
        ).astype(np.float16)
        valid = torch.tensor([features.shape[1]])
        return predictor.marginal(predictor.score(torch.from_numpy(features[None]), valid))

    return predict


def latencies(predict: Callable[[Path], object], files: Sequence[Path]) -> list[float]:
    """Seconds per file."""
    found = []
    for file in files:
        begun = time.perf_counter()
        predict(file)
        found.append(time.perf_counter() - begun)
    return found


def command(run: Path, clip: Path) -> tuple[float, int]:
    """Seconds and peak memory in bytes of ``ser-predict RUN CLIP``."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(run), str(clip)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with peak_memory(process.pid, 0.2) as peak:
        _, said = process.communicate()
    seconds = time.perf_counter() - begun
    if process.returncode:
        sys.exit(said.decode())
    return seconds, peak.bytes


def measure(scratch: Path, repeat: int) -> dict[str, float]:
    """Latencies in seconds, and seconds of audio predicted per second; medians over rounds."""
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
    ours, script, windows = [], [], []
    by_script = script_of(predictor)
    latencies(predictor.predict, files[:8])
    latencies(by_script, files[:8])
    for _ in range(repeat):
        with threadpool_limits(1):
            script.append(latencies(by_script, files))
        ours.append(latencies(predictor.predict, files))
        begun = time.perf_counter()
        list(predictor.timeline(long, 3.0, 1.0))
        windows.append(LONG_S / (time.perf_counter() - begun))
    commands = [command(run, files[0]) for _ in range(repeat)]
    one, two = (statistics.median(map(sum, rounds)) for rounds in (ours, script))
    return {
        "opening_s": opening,
        "clips": len(files),
        "mean_clip_s": seconds / len(files),
        "clip_ms_median": 1e3 * statistics.median(np.median(found) for found in ours),
        "clip_ms_p95": 1e3 * statistics.median(np.quantile(found, 0.95) for found in ours),
        "script_clip_ms_median": 1e3 * statistics.median(np.median(found) for found in script),
        "times_real_time_clips": seconds / one,
        "times_real_time_script": seconds / two,
        "times_script": two / one,
        "times_real_time_windows": statistics.median(windows),
        "command_s": statistics.median(taken for taken, _ in commands),
        "command_mib": statistics.median(held for _, held in commands) / 2**20,
    }


def main() -> None:
    """Run the benchmark, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(Path(scratch), options.repeat)
    clips, script = found["times_real_time_clips"], found["times_real_time_script"]
    print(f"times real time, clip by clip, of {found['mean_clip_s']:.1f} s each: {clips:.0f}")
    print(f"the script of librosa: {script:.0f}; {found['times_script']:.1f} times as long")
    print(f"a clip: median {found['clip_ms_median']:.1f} ms, 95 % below {found['clip_ms_p95']:.1f} ms")
    print(f"times real time in windows of 3 s, one per second: {found['times_real_time_windows']:.0f}")
    print(f"the command, one clip: {found['command_s']:.1f} s, {found['command_mib']:.0f} MiB")
    print(write_result("predict", {"repeat": options.repeat, **found}))


if __name__ == "__main__":
    main()
