from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from torch import Tensor

from schemas.errors import RunError, UsageError
from schemas.training import SpecAugmentSpec, TrainSpec
from tests.pretended_cuda.pretend import pretend_cuda
from tests.pretended_cuda.streams import Stream
from tests.training.conftest import CLASSES, order_of
from training.loader.order import Position
from training.loader.ram import RamSource
from training.loop.augment import Augment
from training.loop.average import AveragedWeights
from training.loop.checkpoint import Trainee
from training.loop.fit import Problem
from training.loop.graphed import GraphedStep, require_capturable, use_cuda_graphs
from training.loop.optimise import optimiser_of, schedule_of
from training.loop.step import Step
from training.models.bilstm import MaskedBiLstm
from training.models.cnn_bilstm import CnnBiLstm
from training.models.mlp import Mlp

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
    found = losses_of(step, problem, epochs=6)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for name, tensor in eager.state_dict().items():
        torch.testing.assert_close(replayed.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spec", [PLAIN, REGULARISED], ids=["plain", "regularised"])
def test_on_a_pretended_gpu_too(
    make_model: Callable[[int], CnnBiLstm], problem: Problem, spec: TrainSpec
) -> None:
    """With one stream per size of batches, and one beside it during capture, when a wait would raise."""
    eager, replayed = make_model(0), make_model(0)
    expected = losses_of(step_on("cpu", eager, problem, spec), problem, epochs=3)
    with (
        pretend_cuda(),
        mock.patch.object(torch.cuda.Stream, "__new__", side_effect=lambda *_: Stream()) as streams,
    ):
        step = use_cuda_graphs(step_on("cuda", replayed, problem, spec))
        assert isinstance(step, GraphedStep)
        found = losses_of(step, problem, epochs=3)
    assert len(step._recordings) == 1  # five batches of 14
    assert streams.call_count == 2
    assert all(recording.graph is not None for recording in step._recordings.values())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for name, tensor in eager.state_dict().items():
        torch.testing.assert_close(replayed.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)


def test_an_lstms_directions_are_captured_on_two_streams_and_joined(
    make_model: Callable[[int], CnnBiLstm], problem: Problem
) -> None:
    """That they are not joined would raise, and that one does not wait for its input: see the next tests."""
    found: list[Stream] = []
    with pretend_cuda():
        step = use_cuda_graphs(step_on("cuda", make_model(0), problem, PLAIN))
        lstm = step.trainee.model.recurrent[0]
        for direction in (lstm.forwards, lstm.backwards):
            direction.register_forward_pre_hook(lambda *_: found.append(torch.cuda.current_stream()))
        losses_of(step, problem, epochs=1)
    eager, captured = found[:6], found[6:]
    assert len(set(eager)) == 1
    assert len(captured) == len(set(captured)) == 2


@pytest.mark.parametrize(("skipped", "message"), [(1, "a race: "), (2, "a race: ")], ids=["fork", "join"])
def test_a_stream_that_is_not_waited_for_is_found(skipped: int, message: str) -> None:
    lstm = MaskedBiLstm(3, 2).to("cpu")
    real, calls = Stream.wait_stream, []

    def forget_one(stream: Stream, other: Stream) -> None:
        calls.append(other)
        if len(calls) != 1 + skipped:  # the first is of the capture itself
            real(stream, other)

    with pretend_cuda():
        lstm.to("cuda")
        x, valid = torch.randn(2, 5, 3).to("cuda"), torch.full((2,), 5).to("cuda")
        with (
            mock.patch.object(Stream, "wait_stream", forget_one),
            pytest.raises(RuntimeError, match=message),
            torch.cuda.graph(torch.cuda.CUDAGraph()),
        ):
            lstm(x, valid).sum()
    assert len(calls) >= 1 + skipped


def test_a_failed_capture_ends_training_with_the_option_that_avoids_it(
    make_model: Callable[[int], CnnBiLstm], problem: Problem
) -> None:
    with pretend_cuda():
        step = use_cuda_graphs(step_on("cuda", make_model(0), problem, PLAIN))
        real = step.loss.forward

        def wait(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            logits.sum().item()
            return real(logits, targets)

        step.loss.forward = wait
        with pytest.raises(RunError) as failed:
            losses_of(step, problem, epochs=1)
    sentence = str(failed.value)
    assert "cannot be recorded as a CUDA graph (CUDA error: operation not permitted" in sentence
    assert sentence.endswith("; train with --no-cuda-graphs")
    assert "\n" not in sentence


def test_batches_of_one_are_refused_where_batch_norm_would_wait(
    make_model: Callable[[int], CnnBiLstm],
) -> None:
    perceptron = Mlp(3, 1, CLASSES)
    require_capturable(perceptron, 2)
    require_capturable(make_model(0), 1)
    with pytest.raises(UsageError, match=r"batches of 1 sample .* --batch-size, or --no-cuda-graphs$"):
        require_capturable(perceptron, 1)


def test_other_models_are_captured_with_batches_of_one(
    make_model: Callable[[int], CnnBiLstm], problem: Problem
) -> None:
    single = replace(problem, order=order_of(5, 1))
    expected = losses_of(step_on("cpu", make_model(0), single, PLAIN), single, epochs=1)
    with pretend_cuda():
        step = use_cuda_graphs(step_on("cuda", make_model(0), single, PLAIN))
        found = losses_of(step, single, epochs=1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
