"""Training speed of each named network, compared with plain PyTorch and Lightning's Trainer.

    python benchmarks/train.py                    on the CPU
    python benchmarks/train.py --device cuda      on a GPU: samples on the device, bf16, graphs

Measures samples per second over consecutive training batches after a warm-up, including reading and, in ours,
normalisation, but not validation. Ours is training as `ser-train` runs it, stopped when its batches are
timed. The plain version is the textbook module, eager, float32, with a DataLoader that reads one sample at a
time from the same Zarr arrays, without workers and with two; the faster one counts. Lightning's Trainer
trains the same module with the faster loader. Stores are built from the demo voices, one per recipe. Every
run is a separate process. Runs alternate; results are medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from machine import write_result

from data.demo import write_demo
from schemas.architecture import CnnBiLstmSpec, CnnSpec, LinearSpec
from schemas.named_models import MODELS
from schemas.recipe import load_recipe, shipped_recipes

WARM_UP = {"cpu": 4, "cuda": 200}
BATCHES = {"cpu": 24, "cuda": 2000}
PLAIN = ("plain, no workers", "plain, 2 workers")
PEERS = (*PLAIN, "lightning")
"""Of models with convolutions; there are no textbook versions of the others."""


@dataclass
class Model:
    """A network, its recipe, and the samples per second of all runs of each contender."""

    name: str
    recipe: str
    runs: dict[str, list[float]] = field(default_factory=dict)

    @property
    def has_peers(self) -> bool:
        """Whether :mod:`peers.train_plain` has a textbook version of it."""
        return isinstance(MODELS[self.name], CnnBiLstmSpec | CnnSpec)

    @property
    def medians(self) -> dict[str, float]:
        """Samples per second by contender."""
        return {contender: statistics.median(runs) for contender, runs in self.runs.items() if runs}


def networks() -> list[Model]:
    """The models of all shipped recipes, each name once; without heads on encoders, which need weights."""
    loaded = [load_recipe(name) for name in shipped_recipes()]
    recipes = {
        recipe.model.name: recipe.name
        for recipe in loaded
        if not isinstance(recipe.model, LinearSpec)
        and all(feature.kind != "encoder" for feature in recipe.features)
    }
    return [Model(name, recipe) for name, recipe in sorted(recipes.items())]


def ours(device: str) -> tuple[str, ...]:
    """Our contenders: float32, and bfloat16 if the device has instructions for it."""
    flags = Path("/proc/cpuinfo").read_text()
    return ("ours, 32", "ours, bf16") if device == "cuda" or "amx_bf16" in flags else ("ours, 32",)


def run_once(contender: str, model: Model, store: Path, options: argparse.Namespace) -> float:
    """Samples per second of one run in a separate process."""
    command = [
        *(sys.executable, __file__, "--one", contender, model.name, model.recipe, str(store)),
        *("--device", options.device, "--batches", str(options.batches or BATCHES[options.device])),
    ]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(f"{contender}, {model.name}: {process.stderr}")
    return float(json.loads(process.stdout.splitlines()[-1]))


def be_one(contender: str, model: str, name: str, store: Path, device: str, batches: int) -> float:
    """Samples per second of this process."""
    recipe = load_recipe(name)
    who, _, how = contender.partition(", ")
    if who == "ours":
        import train_ours

        seconds = train_ours.seconds_a_batch(name, model, store, device, how, WARM_UP[device], batches)
        return recipe.train.batch_size / seconds
    import torch
    from batch_clock import BatchClock
    from peers import train_lightning, train_plain

    peer = train_plain if who == "plain" else train_lightning
    where = torch.device(device)
    seconds = peer.seconds_a_batch(
        model,
        store,
        tuple(feature.kind for feature in recipe.features),
        recipe.train.batch_size,
        2 if how == "2 workers" else 0,
        where,
        BatchClock(WARM_UP[device], batches, where),
    )
    return recipe.train.batch_size / seconds


def build(recipe: str, corpora: Path, out: Path) -> None:
    """Build a store of the demo voices with all views of the recipe."""
    command = [
        *(sys.executable, "-c", "from training.cli.features import main; main()", "build", "--json"),
        *("--recipe", recipe, "--datasets", "demo", "--corpora", str(corpora), "--out", str(out)),
        *("--augment", str(len(load_recipe(recipe).views))),
    ]
    subprocess.run(command, capture_output=True, check=True)


def measure(models: list[Model], options: argparse.Namespace, scratch: Path) -> None:
    """Run all contenders on all models."""
    corpora = options.scratch or scratch
    write_demo(corpora)
    for model in models:
        kind = "four-corpora-a" if model.recipe.startswith("four-corpora") else model.recipe
        store = corpora / f"{kind}.zarr"
        if not store.exists():
            build(kind, corpora, store)
        for _ in range(options.repeat):
            for contender in (*ours(options.device), *(PLAIN if model.has_peers else ())):
                model.runs.setdefault(contender, []).append(run_once(contender, model, store, options))
            if model.has_peers:
                better = max(("no workers", "2 workers"), key=lambda how: model.medians[f"plain, {how}"])
                rate = run_once(f"lightning, {better}", model, store, options)
                model.runs.setdefault("lightning", []).append(rate)
        print(row(model, options.device), flush=True)
        write_models(models, options)  # after each: one that fails loses no other


def row(model: Model, device: str) -> str:
    """One row of the table."""
    medians = model.medians
    cells = [f"{medians[name]:,.0f}" if name in medians else "–" for name in (*ours(device), *PEERS)]
    ratios = ["–" for _ in ours(device)]
    if model.has_peers:
        plain = max(medians[name] for name in PLAIN)
        ratios = [f"{medians[name] / plain:.1f}" for name in ours(device)]
    return f"| {model.name} | " + " | ".join((*cells, *ratios)) + " |"


def write_models(models: list[Model], options: argparse.Namespace) -> Path:
    """Write the result of the models that have been measured."""
    result: dict[str, Any] = {
        "command": " ".join(["python", "benchmarks/train.py", *sys.argv[1:]]),
        "batches": options.batches or BATCHES[options.device],
        "models": {
            model.name: {"recipe": model.recipe, "samples_per_s": model.medians, "runs": model.runs}
            for model in models
            if model.runs
        },
    }
    return write_result("train" if options.device == "cpu" else "train-gpu", result)


def main() -> None:
    """Measure and write the result; with ``--one``, be one of the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--one", nargs=4, metavar=("CONTENDER", "MODEL", "RECIPE", "STORE"))
    parser.add_argument("--models", help="comma-separated names; default: all networks")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--batches", type=int, help="number of timed batches; default: 24 on a CPU, 2,000 on a GPU"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--scratch", type=Path, help="folder that keeps the stores for the next run")
    options = parser.parse_args()
    if options.one:
        contender, model, recipe, store = options.one
        print(be_one(contender, model, recipe, Path(store), options.device, options.batches))
        return
    wanted = options.models.split(",") if options.models else None
    models = [model for model in networks() if wanted is None or model.name in wanted]
    titles = (*ours(options.device), *PEERS, *(f"{name}: times plain" for name in ours(options.device)))
    print("| model | " + " | ".join(titles) + " |\n|" + "---|" * (len(titles) + 1))
    with tempfile.TemporaryDirectory() as scratch:
        measure(models, options, Path(scratch))


if __name__ == "__main__":
    main()
