"""Several processes train one model: ``torchrun`` with gloo, against one process at the same global batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

OPTIONS = [
    "--views", "0,2", "--epochs", "3", "--batch-size", "24", "--device", "cpu",
    "--set", "train.spec_augment.band_masks=1", "--set", "train.class_weights=balanced",
    "--set", "train.lr=1e-4",
]  # fmt: skip
LAUNCH = "from training.cli.train import main; main()"


def trained(store: Path, out: Path, ranks: int) -> dict[str, Any]:
    script = out.parent / "train.py"
    script.write_text(LAUNCH)
    command = [sys.executable, str(script)]
    if ranks > 1:
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
        command = [sys.executable, *torchrun, str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    options = ["--store", str(store), "--out", str(out), *OPTIONS]
    done = subprocess.run([*command, *options], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run folder: ") == 1, "one process speaks for all"
    (folder,) = out.iterdir()
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return {"metrics": metrics, "folder": folder}


@pytest.fixture(scope="module")
def one(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return trained(demo_store, tmp_path_factory.mktemp("runs") / "one", 1)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_train_what_one_process_trains(
    demo_store: Path, one: dict[str, Any], tmp_path: Path, ranks: int
) -> None:
    """84 clips × 2 views make 7 batches of 24. Sums are taken in another order; no draw differs."""
    several = trained(demo_store, tmp_path / "several", ranks)
    for side in ("validation", "test"):
        ours, theirs = several["metrics"][side], one["metrics"][side]
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=2e-4)
        assert ours["emotion"]["confusion"] == theirs["emotion"]["confusion"]
    assert several["metrics"]["best_epoch"] == one["metrics"]["best_epoch"]
    ours = load_file(several["folder"] / "checkpoints" / "best.safetensors")
    theirs = load_file(one["folder"] / "checkpoints" / "best.safetensors")
    # Together: Adam makes whole steps of gradients that are all but zero, whichever sign they round to.
    of_one, of_several = (np.concatenate([t[name].ravel() for name in theirs]) for t in (theirs, ours))
    assert np.linalg.norm(of_several - of_one) <= 1e-3 * np.linalg.norm(of_one)
