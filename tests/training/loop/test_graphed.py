from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from torch import Tensor

from schemas.training import SpecAugmentSpec, TrainSpec
from tests.pretended_cuda.graphs import Stream
from tests.pretended_cuda.pretend import pretend_cuda
from training.loader.order import Position
from training.loader.ram import RamSource
from training.loop.augment import Augment
from training.loop.average import AveragedWeights
from training.loop.checkpoint import Trainee
from training.loop.fit import Problem
from training.loop.graphed import GraphedStep, use_cuda_graphs
from training.loop.optimise import optimiser_of, schedule_of
from training.loop.step import Step
from training.models.cnn_bilstm import CnnBiLstm

PLAIN = TrainSpec(batch_size=16, epochs=7, lr=1e-2)
REGULARISED = TrainSpec(
    batch_size=16,
    epochs=7,
    optimiser="adamw",
    schedule="cosine",
    warmup=1.5,
    label_smoothing=0.1,
    mixup=0.3,
    spec_augment=SpecAugmentSpec(band_masks=1, band_width=4, frame_masks=1, frame_width=5),
    gradient_clip=1.0,
    average=0.9,
)


def step_on(device: str, model: CnnBiLstm, problem: Problem, spec: TrainSpec) -> Step:
    fabric = Fabric(accelerator=device, devices=1)
    optimiser = optimiser_of(model.to(fabric.device), spec)
    average = None if spec.average is None else AveragedWeights(model, spec.average)
    trainee = Trainee(model, optimiser, schedule_of(optimiser, spec), average)
    runner, stepper = fabric.setup(model, optimiser)
    runner.train()
    normaliser, loss = problem.normaliser.to(fabric.device), problem.loss.to(fabric.device)
    return Step(fabric, runner, stepper, trainee, normaliser, Augment(spec), loss, spec)


def losses_of(step: Step, problem: Problem, epochs: int) -> Tensor:
    """(steps, 2) of a training."""
    on_cpu = problem.train
    assert isinstance(on_cpu, RamSource)
    device = step.fabric.device
    source = RamSource(on_cpu.features.to(device), on_cpu.valid_frames, on_cpu.targets, device)
    losses = []
    for epoch in range(epochs):
        start = Position(problem.seed, epoch)
        for number, batch in enumerate(source.batches(problem.order, start)):
            at, done = replace(start, batch=number), number / len(problem.order)
            losses.append(torch.stack(step(batch, at, done)).cpu())
    return torch.stack(losses)


def test_on_a_cpu_a_step_stays_as_it_is(make_model: Callable[[int], CnnBiLstm], problem: Problem) -> None:
    step = step_on("cpu", make_model(0), problem, PLAIN)
    assert use_cuda_graphs(step) is step
    assert np.isfinite(losses_of(step, problem, 1)).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
@pytest.mark.parametrize("spec", [PLAIN, REGULARISED], ids=["plain", "regularised"])
def test_a_graph_trains_as_the_step_that_it_captured(
    make_model: Callable[[int], CnnBiLstm], problem: Problem, spec: TrainSpec
) -> None:
    eager, replayed = make_model(0), make_model(0)
    expected = losses_of(step_on("cuda", eager, problem, spec), problem, epochs=6)
    step = use_cuda_graphs(step_on("cuda", replayed, problem, spec))
    assert isinstance(step, GraphedStep)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a capture that failed warns
        found = losses_of(step, problem, epochs=6)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for name, tensor in eager.state_dict().items():
        torch.testing.assert_close(replayed.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spec", [PLAIN, REGULARISED], ids=["plain", "regularised"])
def test_on_a_pretended_gpu_too(
    make_model: Callable[[int], CnnBiLstm], problem: Problem, spec: TrainSpec
) -> None:
    """With one stream per size of batches; while it is captured, a wait would raise."""
    eager, replayed = make_model(0), make_model(0)
    expected = losses_of(step_on("cpu", eager, problem, spec), problem, epochs=3)
    with (
        pretend_cuda(),
        mock.patch.object(torch.cuda.Stream, "__new__", side_effect=Stream) as streams,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        step = use_cuda_graphs(step_on("cuda", replayed, problem, spec))
        assert isinstance(step, GraphedStep)
        found = losses_of(step, problem, epochs=3)
    assert streams.call_count == len(step._recordings) == 1  # five batches of 14
    assert all(recording.graph is not None for recording in step._recordings.values())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for name, tensor in eager.state_dict().items():
        torch.testing.assert_close(replayed.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)
