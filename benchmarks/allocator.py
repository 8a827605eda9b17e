"""Effect of keeping freed memory, on the pipeline and on a training step.

    python benchmarks/allocator.py

Each run is a separate process, because the setting cannot be undone. Runs alternate; results are medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

import numpy as np
import torch
from machine import write_result

from pipelines.pipeline import Pipeline
from pipelines.process import keep_freed_memory
from schemas.named_models import MODELS
from schemas.recipe import load_recipe
from training.models.registry import build_model

CLIPS = 64


def pipeline_clips_per_s() -> float:
    """Original and six views of synthetic clips of 3 s on one core, without decoding or writing."""
    rng = np.random.default_rng(0)
    pipeline = Pipeline(load_recipe("four-corpora-a").store_spec(6), torch.device("cpu"))
    clips = [0.1 * rng.standard_normal(70_000).astype(np.float32) for _ in range(CLIPS)]
    pipeline(["warm"], clips[:1])
    started = time.perf_counter()
    for number, clip in enumerate(clips):
        pipeline([str(number)], [clip])
    return CLIPS / (time.perf_counter() - started)


def training_samples_per_s() -> float:
    """Forward, backward and Adam step of model A at batch 32, channels last."""
    torch.manual_seed(0)
    model = build_model(MODELS["A"], coefficients=170, frames=130, classes=14)
    torch.nn.utils.convert_conv2d_weight_memory_format(model, torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    features, valid = torch.randn(32, 1, 170, 130), torch.full((32,), 120)
    targets = torch.randint(14, (32,))

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(features, valid), targets).backward()
        optimizer.step()

    for _ in range(5):
        step()
    started = time.perf_counter()
    for _ in range(30):
        step()
    return 30 * 32 / (time.perf_counter() - started)


MEASURES = {"pipeline, clips/s": pipeline_clips_per_s, "training, samples/s": training_samples_per_s}


def main() -> None:
    """Run the benchmark in separate processes and write the result; with ``--one``, be one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--one", nargs=2, metavar=("MEASURE", "ALLOCATOR"))
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    if options.one:
        if options.one[1] == "kept":
            keep_freed_memory()
        print(MEASURES[options.one[0]]())
        return
    runs: dict[str, dict[str, list[float]]] = {name: {"default": [], "kept": []} for name in MEASURES}
    for _ in range(options.repeat):
        for name, figures in runs.items():
            for allocator, values in figures.items():
                command = [sys.executable, __file__, "--one", name, allocator]
                values.append(
                    float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                )
    medians = {name: {a: statistics.median(v) for a, v in figures.items()} for name, figures in runs.items()}
    for name, figures in medians.items():
        print(f"{name}: {figures['default']:.0f} default, {figures['kept']:.0f} kept")
    print(
        write_result(
            "allocator",
            {
                "command": " ".join(["python", "benchmarks/allocator.py", *sys.argv[1:]]),
                "medians": medians,
                "all_runs": runs,
            },
        )
    )


if __name__ == "__main__":
    main()
