"""Heads on features of encoders keep the contract of the loop: seeds, and resuming bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from schemas.architecture import FrameHeadSpec, LayerMlpSpec
from schemas.training import TrainSpec
from tests.training.conftest import CLASSES, COEFFICIENTS, FRAMES, order_of
from training.loader.ram import RamSource
from training.loop.checkpoint import load_best
from training.loop.fabric import fabric_for
from training.loop.fit import Problem, Saving, fit
from training.loop.loss import Loss
from training.loop.normalise import Normalisation, Normaliser
from training.models import StateLayout, build_model
from training.models.layer_weights import layer_shares
from training.runs.observer import SilentObserver

SPEC = TrainSpec(
    batch_size=16,
    epochs=4,
    optimiser="adamw",
    lr=1e-2,
    schedule="cosine",
    warmup=1,
    patience=None,
    monitor="last",
    label_smoothing=0.1,
    mixup=0.3,
    average=0.9,
)
STATES = StateLayout("encoder", layers=(1, 2, 4), statistics=1, width=COEFFICIENTS // 3)
HEADS = {
    "layer_mlp": (LayerMlpSpec(name="x", hidden=(8,)), 1),
    "frame_head": (FrameHeadSpec(name="x", width=8, blocks=1, heads=2, inner=8), FRAMES),
}
"""Specification and frames of the input by family."""


def make_head(family: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    spec, frames = HEADS[family]
    return build_model(spec, COEFFICIENTS, frames, CLASSES, (STATES,))


def make_problem(family: str, seed: int = 3) -> Problem:
    """A learnable problem: the class shifts the mean of a value in the first of three layers."""
    generator, frames = np.random.default_rng(7), HEADS[family][1]

    def source(count: int) -> RamSource:
        targets = generator.integers(0, CLASSES, count)
        features = generator.normal(size=(count, COEFFICIENTS, frames))
        features[np.arange(count), targets] += 2.0
        valid = generator.integers(min(8, frames), frames + 1, count)
        parts = (features.astype(np.float16), valid, targets)
        return RamSource(*map(torch.from_numpy, parts), torch.device("cpu"))

    ones = np.ones(COEFFICIENTS, dtype=np.float32)
    return Problem(
        train=source(70),
        validation=source(30),
        order=order_of(70, 16),
        normaliser=Normaliser(Normalisation(0 * ones, ones)),
        loss=Loss(np.ones(CLASSES), SPEC.label_smoothing),
        seed=seed,
    )


class KilledError(BaseException):
    """Ends a training as a kill would."""


class KillAt(SilentObserver):
    """Kills a training after ``batches`` batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def batch_done(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KilledError


def run(
    folder: Path, model: nn.Module, problem: Problem, observer: SilentObserver | None = None
) -> nn.Module:
    folder.mkdir(exist_ok=True)
    fabric, saving = fabric_for(torch.device("cpu"), SPEC), Saving(folder, every=0.0)
    fit(fabric, model, problem, SPEC, saving, observer or SilentObserver())
    return model


def are_same(one: nn.Module, two: nn.Module) -> bool:
    other = two.state_dict()
    return all(torch.equal(tensor, other[name]) for name, tensor in one.state_dict().items())


@pytest.mark.parametrize("family", HEADS)
def test_a_seed_gives_the_same_weights_and_another_seed_others(family: str, tmp_path: Path) -> None:
    one = run(tmp_path / "1", make_head(family, 0), make_problem(family))
    torch.rand(17)
    assert are_same(one, run(tmp_path / "2", make_head(family, 0), make_problem(family)))
    assert not are_same(one, run(tmp_path / "3", make_head(family, 0), make_problem(family, seed=4)))


@pytest.mark.parametrize("batches", [3, 8])
@pytest.mark.parametrize("family", HEADS)
def test_a_training_that_was_killed_and_resumed_ends_bit_for_bit_as_one_that_was_not(
    family: str, batches: int, tmp_path: Path
) -> None:
    whole = run(tmp_path / "whole", make_head(family, 0), make_problem(family))
    with pytest.raises(KilledError):
        run(tmp_path / "killed", make_head(family, 0), make_problem(family), KillAt(batches))
    resumed = run(tmp_path / "killed", make_head(family, 5), make_problem(family))
    assert are_same(resumed, whole)
    kept = make_head(family, 6)
    load_best(tmp_path / "killed", kept)
    assert layer_shares(kept) != layer_shares(make_head(family, 0))
