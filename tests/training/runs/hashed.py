"""What tests of hashes train, and what they read of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from schemas.overrides import override
from schemas.recipe import load_recipe
from training.runs.hashes import HASHES
from training.runs.request import Hardware, TrainRequest

LINEAR = ("model.name=functionals", "labels.target=emotion")
NETWORK = ("model.name=functionals-mlp", "input.representation=functionals", "train.epochs=3")


def request_of(store: Path, out: Path, *changes: str, **asked: Any) -> TrainRequest:
    recipe = override(load_recipe("four-corpora-c"), ["datasets=null", "train.views=[0]", *changes])
    return TrainRequest(store=store, recipe=recipe, output=out, hardware=Hardware("cpu"), **asked)


def listed(folder: Path) -> dict[str, str]:
    """The document as any reader of JSON sees it: name → SHA-256."""
    document = json.loads((folder / HASHES).read_bytes())
    return {name: entry["sha256"] for name, entry in document["files"].items()}


def hashed(folder: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
