"""A step of every network on a pretended GPU: the CPU's losses, no wait, and the same as a CUDA graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from torch import nn

from schemas.architecture import FrameHeadSpec, LayerMlpSpec, LinearSpec
from schemas.named_models import MODELS
from schemas.training import TrainSpec
from tests.pretended_cuda.pretend import pretend_cuda
from tests.pretended_cuda.waits import HostWaits
from training.loader.order import Position
from training.loader.source import Batch
from training.loop.augment import Augment
from training.loop.checkpoint import Trainee
from training.loop.fabric import fabric_for
from training.loop.graphed import GraphedStep, use_cuda_graphs
from training.loop.loss import Loss
from training.loop.normalise import Normalisation, Normaliser
from training.loop.optimise import optimiser_of, schedule_of
from training.loop.step import Step
from training.models.registry import build_model
from training.models.state_layout import StateLayout

CLASSES, CLIPS, STEPS = 4, 4, 5
COEFFICIENTS, FRAMES = 64, 32
NETWORKS = sorted(name for name, spec in MODELS.items() if not isinstance(spec, LinearSpec))
QUICK = {
    ("A", "32"),
    ("A", "bf16"),
    ("ravdess-transformer", "32"),
    ("ravdess-conformer", "bf16"),
    ("functionals-mlp", "32"),
    ("layer-mlp", "32"),
    ("frame-head", "bf16"),
}
"""Networks of different kinds; all the others take minutes together."""


def new_network(name: str) -> nn.Module:
    torch.manual_seed(0)
    spec = MODELS[name]
    states = isinstance(spec, LayerMlpSpec | FrameHeadSpec)
    layouts = (StateLayout("encoder", (0, 1, 2, 3), 1, COEFFICIENTS // 4),) if states else ()
    return build_model(spec, COEFFICIENTS, FRAMES if name != "layer-mlp" else 1, CLASSES, layouts)


def batches(frames: int, device: torch.device) -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    made = []
    for _ in range(STEPS):
        features = torch.randn(CLIPS, 1, COEFFICIENTS, frames, generator=generator)
        valid = torch.randint(1 + frames // 2, frames + 1, (CLIPS,), generator=generator)
        targets = torch.randint(CLASSES, (CLIPS,), generator=generator)
        made.append(Batch(features.to(device), valid.to(device), targets.to(device), CLIPS))
    return made


def step_of(fabric: Fabric, name: str, spec: TrainSpec) -> Step:
    model = new_network(name).to(fabric.device)
    optimiser = optimiser_of(model, spec)
    runner, stepper = fabric.setup(model, optimiser)
    runner.train()
    normaliser = Normaliser(Normalisation(*(f(COEFFICIENTS, np.float32) for f in (np.zeros, np.ones))))
    trainee = Trainee(model, optimiser, schedule_of(optimiser, spec), None)
    loss = Loss(np.ones(CLASSES)).to(fabric.device)
    return Step(fabric, runner, stepper, trainee, normaliser.to(fabric.device), Augment(spec), loss, spec)


def losses_of(step: Step, name: str, waits: HostWaits | None = None) -> torch.Tensor:
    """(steps,) mean losses; fails if a step waits."""
    losses = []
    for number, batch in enumerate(batches(1 if name == "layer-mlp" else FRAMES, step.fabric.device)):
        if waits is not None:
            waits.forget()
        summed, weight = step(batch, Position(0, 0, number), number / STEPS)
        assert waits is None or waits.total == 0, waits
        losses.append(summed.cpu() / weight.cpu())
    return torch.stack(losses).float()


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        pytest.param(name, precision, marks=[pytest.mark.slow] if (name, precision) not in QUICK else [])
        for name in NETWORKS
        for precision in ("32", "bf16")
    ],
)
def test_a_step_of_every_network_waits_for_nothing_and_can_be_captured(name: str, precision: str) -> None:
    spec = TrainSpec(batch_size=CLIPS, epochs=1, lr=1e-4, precision=precision)
    expected = losses_of(step_of(fabric_for(torch.device("cpu"), spec), name, spec), name)
    dtypes: set[torch.dtype] = set()
    with pretend_cuda() as waits:
        fabric = fabric_for(torch.device("cuda", 0), spec)
        eager = losses_of(step_of(fabric, name, spec), name, waits)
        step = use_cuda_graphs(step_of(fabric, name, spec))
        assert isinstance(step, GraphedStep)
        for module in step.trainee.model.modules():
            if isinstance(module, nn.LSTM):
                module.register_forward_hook(
                    lambda _, given, out: dtypes.update((given[0].dtype, out[0].dtype))
                )
        graphed = losses_of(step, name)
        assert step._recordings[CLIPS].graph is not None
    # In bfloat16, a last bit that differs grows to a few per cent within these steps.
    close = {"rtol": 1e-3, "atol": 1e-3} if precision == "32" else {"rtol": 0.1, "atol": 0.1}
    torch.testing.assert_close(eager, expected, **close)
    torch.testing.assert_close(graphed, eager, **close)
    assert dtypes <= {torch.float32}
