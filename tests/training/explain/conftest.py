"""A store of tones, and runs that are trained on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.recipe import parse_recipe
from tests.once import Once
from tests.tiny_store import TINY_RECIPE, Builder
from tests.training.explain.tones import write_tones
from training.plan import make
from training.report.result import RunResult
from training.runs.request import Hardware, TrainRequest
from training.train import train

CPU = Hardware("cpu")
TINY = parse_recipe(TINY_RECIPE, "tiny")
LABELS = ("train.views=[0]", "split.test=0.45", "labels.target=emotion")
MLP = (*LABELS, "model.name=functionals-mlp", "input.representation=functionals", "train.lr=3e-3",
       "train.patience=null", "train.epochs=15")  # fmt: skip
STRETCHES = ",".join(f'"stretch{number}"' for number in range(5, 9))
LDA = (*LABELS, "model.name=functionals-lda", f"model.statistics=[{STRETCHES}]")
"""A linear classifier of means over each eighth of the second half of a clip."""
ATTENTION = (*LABELS, "model.name=ravdess-attention", "train.epochs=1")


@pytest.fixture(scope="session")
def tones(once: Once) -> Path:
    """Folder of the clips of :func:`write_tones`. Shared: do not change it."""
    return once("tones", lambda out: (out.mkdir(exist_ok=True), write_tones(out)))


@pytest.fixture(scope="session")
def tone_store(tones: Path, tiny_build: Builder, once: Once) -> Path:
    """Its store. Shared: do not change it."""
    return once("tones.zarr", lambda out: tiny_build(out, tones, f"tones={tones / 'tones.csv'}"))


def train_tones(store: Path, out: Path, *changes: str, explain: bool = True) -> RunResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "near_duplicates", lambda store, split: None)
        return train(
            TrainRequest(store=store, recipe=TINY, changes=changes, output=out, hardware=CPU, explain=explain)
        )


@pytest.fixture(scope="package")
def explained(tone_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A perceptron on functionals, explained when it was trained."""
    return train_tones(tone_store, tmp_path_factory.mktemp("mlp"), *MLP)


@pytest.fixture(scope="package")
def deaf_at_first(tone_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A linear classifier that cannot hear the first half of a clip."""
    return train_tones(tone_store, tmp_path_factory.mktemp("lda"), *LDA, explain=False)


@pytest.fixture(scope="package")
def attentive(tone_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A network with attention pooling, explained when it was trained."""
    return train_tones(tone_store, tmp_path_factory.mktemp("attention"), *ATTENTION)
