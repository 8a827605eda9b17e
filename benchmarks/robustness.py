"""How far a recipe's models fall on noisy, faster or higher copies of their test clips.

    python benchmarks/robustness.py --corpora corpora --recipe whisper-robust

Builds a store with every view of the recipe, or of `--views-of`, trains the folds of its protocol, and
tests each fold on all views of its test clips. The store and the series are kept in `--work`, and another
call resumes from there. Recipes of Whisper need its weights: `ser-features encoder get whisper-base`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from machine import RESULTS, machine, write_document

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from schemas.overrides import override
from schemas.recipe import load_recipe
from training.campaign import train_all
from training.evaluate import EvaluationRequest
from training.report.robustness import Robustness
from training.report.robustness_text import robustness_text
from training.robustness import measure_series
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, TrainRequest


def main() -> None:
    """Measure one recipe, print its table, and write it beside those of other recipes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=Path("corpora"))
    parser.add_argument("--datasets", default="ravdess")
    parser.add_argument("--recipe", default="whisper-robust", help="name or file of a recipe")
    parser.add_argument("--views-of", metavar="RECIPE", help="build the views of another recipe")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", dest="changes")
    parser.add_argument("--encoder", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--work", type=Path, default=Path("robustness"))
    arguments = parser.parse_args()
    found = measure(arguments)
    print(robustness_text(found))
    name = load_recipe(arguments.recipe).name
    file = RESULTS / "robustness.json"
    earlier = json.loads(file.read_text())["recipes"] if file.exists() else {}
    write_document("robustness", {"recipes": earlier | {name: _row(found, arguments)}})


def measure(arguments: argparse.Namespace) -> Robustness:
    """Build, train and test; what is finished in ``--work`` is used again."""
    recipe, built = load_recipe(arguments.recipe), load_recipe(arguments.views_of or arguments.recipe)
    store = arguments.work / f"{built.name}.zarr"
    folders = {name: Path(folder) for name, folder in (each.split("=", 1) for each in arguments.encoder)}
    spec = SpecRequest(
        recipe=arguments.views_of or arguments.recipe, augment=len(built.views), encoders=folders
    )
    build(BuildRequest(store, arguments.corpora, arguments.datasets, spec))
    series = arguments.work / recipe.name
    resumed = TrainRequest(store=store, resume=series)
    changed = override(recipe, arguments.changes)
    new = TrainRequest(
        store=store, recipe=changed, output=arguments.work, name=recipe.name, hardware=Hardware("auto")
    )
    train_all(resumed if series.exists() else new, None, SilentObserver())
    return measure_series([series], EvaluationRequest((), store=store), "all")


def _row(found: Robustness, arguments: argparse.Namespace) -> dict[str, Any]:
    options = [f"--datasets {arguments.datasets}", f"--recipe {Path(arguments.recipe).name}"]
    options += [f"--views-of {Path(arguments.views_of).name}"] if arguments.views_of else []
    options += [f"--set {change}" for change in arguments.changes]
    command = f"python benchmarks/robustness.py --corpora corpora {' '.join(options)}"
    return {"machine": machine(), "command": command, **found.to_json()}


if __name__ == "__main__":
    main()
