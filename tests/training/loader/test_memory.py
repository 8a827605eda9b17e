"""How much memory streaming takes, measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from training.loader.memory import sample_bytes

RECIPE = """
name = "fine"
[audio]
sample_rate = 8000
duration_s = 2.0
[spectral]
n_fft = 512
hop_length = 16
[[features]]
kind = "mel"
n_mels = 128
[model]
name = "A"
"""
"""256 kB a clip: 172 MB."""

MEASURE = """
import json, sys, threading, time
import numpy as np, torch
from featurestore.store import FeatureStore
from training.loader.open import open_source
from training.loader.order import Order, Position
from training.samples.samples import cross

path, home, budget, window = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

def watch():
    while not ended:
        peak[0] = max(peak[0], anonymous())
        time.sleep(0.002)

torch.set_num_threads(1)
store = FeatureStore.open(path)
clips = np.arange(len(store.manifest))
samples = cross(clips, clips, (0,))
order = Order.of(store, samples, 16, window=window)
first = open_source(store, cross(clips[:8], clips[:8], (0,)), ("mel",), "stream", torch.device("cpu"))
list(first.in_order(8))  # imports and threads' stacks
del first
before, ended = anonymous(), False
peak = [before]
watcher = threading.Thread(target=watch)
watcher.start()
source = open_source(store, samples, ("mel",), home, torch.device("cpu"), budget)
total = 0
for batch in source.batches(order, Position(0)):
    total += batch.features.nbytes
for batch in source.in_order(16):
    pass
ended = True
watcher.join()
print(json.dumps({"grown": peak[0] - before, "epoch": total}))
"""


@pytest.mark.slow
def test_streaming_takes_its_budget_however_large_the_store_is(whole_demo: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "fine.toml"
    recipe.write_text(RECIPE)
    path = tmp_path / "fine.zarr"
    spec = SpecRequest(recipe=str(recipe), augment=0)
    build(BuildRequest(path, whole_demo, "demo", spec))
    window = 2
    each = sample_bytes(FeatureStore.open(path), ("mel",))
    budget = 2 * window * 32 * each
    found = {}
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000"}  # what was freed does not count
    for home in ("stream", "ram"):
        command = [sys.executable, "-c", MEASURE, str(path), home, str(budget), str(window)]
        out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        found[home] = json.loads(out)
    assert found["stream"]["epoch"] == found["ram"]["epoch"] > 4 * budget
    # Beside the windows: chunks of 8 MB that are being read and decoded, two a thread, and batches of 4 MB.
    assert found["stream"]["grown"] < budget + 12 * 32 * each
    assert found["ram"]["grown"] > found["ram"]["epoch"]
