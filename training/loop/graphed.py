"""Training steps as CUDA graphs: on one GPU a step is launched as a whole, not kernel by kernel.

A step of these small networks is hundreds of kernels of a few microseconds each. Python cannot launch them as
fast as a GPU computes them. A graph records them once, together with the memory they use::

    batch ──▶ copied to the graph's input ──▶ replay: normalise … update ──▶ losses
              seed, learning rate: read from the device at each replay

A replay does exactly the work of :meth:`training.loop.step.Step.learn`, so a graph does not change results.
Seed and learning rate of a step are set outside the graph. So is the average of the weights, because its
decay changes.

A capture that fails ends the training: afterwards, torch's allocator and generator for the device are in a
state of which nothing is documented.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from schemas.errors import RunError, UsageError
from training.loader.source import Batch
from training.loop.step import Step
from training.models.batch_norm import BatchNorm1d

_EAGER_STEPS = 3
"""Steps per batch size before capture: libraries and the optimiser allocate memory in their first steps."""


def use_cuda_graphs(step: Step) -> Step:
    """Make ``step`` use CUDA graphs if a single GPU trains; otherwise return it unchanged.

    With graphs, the optimiser keeps its learning rates as tensors on the device.
    """
    if step.fabric.device.type != "cuda" or step.fabric.world_size > 1:
        return step
    for group in step.trainee.optimizer.param_groups:
        group["capturable"] = True
        group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=step.fabric.device)
    return GraphedStep(
        fabric=step.fabric,
        runner=step.runner,
        stepper=step.stepper,
        trainee=step.trainee,
        normaliser=step.normaliser,
        augment=step.augment,
        loss=step.loss,
        spec=step.spec,
    )


def require_capturable(model: nn.Module, smallest_batch: int) -> None:
    """Raise :class:`UsageError` if steps of ``model`` on ``smallest_batch`` samples cannot be captured.

    Batch norm of a single row asks the device how many values all ranks have, and a capture may not wait.
    """
    if smallest_batch == 1 and any(isinstance(module, BatchNorm1d) for module in model.modules()):
        raise UsageError(
            "--cuda-graphs cannot record batches of 1 sample for a model with batch norm; choose a larger "
            "--batch-size, or --no-cuda-graphs"
        )


@dataclass(eq=False)
class GraphedStep(Step):
    """A step that is captured after the first few times, one graph per batch size."""

    _recordings: dict[int, _Recording] = field(default_factory=dict, init=False, repr=False)

    def learn(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Do the work of :meth:`Step.learn`; the next step overwrites the returned tensors."""
        recording = self._recordings.get(len(batch.targets))
        if recording is None:  # only then, as each has a stream of its own
            recording = self._recordings[len(batch.targets)] = _Recording()
        if recording.graph is None and recording.steps >= _EAGER_STEPS:
            self._capture(recording, batch)
        if recording.graph is not None:
            return recording.replay(batch)
        recording.steps += 1
        with _beside(recording.stream):
            return super().learn(batch)

    def _capture(self, recording: _Recording, batch: Batch) -> None:
        """Record the step's kernels without running them. Raises :class:`RunError` if that fails."""
        held = Batch(batch.features.clone(), batch.valid_frames.clone(), batch.targets.clone(), batch.total)
        graph = torch.cuda.CUDAGraph()
        self.stepper.zero_grad(set_to_none=True)  # gradients must be in the graph's memory
        try:
            with torch.cuda.graph(graph, stream=recording.stream, capture_error_mode="thread_local"):
                losses = super().learn(held)
        except RuntimeError as error:
            raise RunError(
                f"a training step cannot be recorded as a CUDA graph ({_reason(error)}); train with "
                "--no-cuda-graphs"
            ) from error
        recording.graph, recording.held, recording.losses = graph, held, losses


@dataclass(eq=False)
class _Recording:
    """The step for one batch size: how often it was run, and its graph once captured."""

    steps: int = 0
    stream: torch.cuda.Stream = field(default_factory=torch.cuda.Stream)
    graph: torch.cuda.CUDAGraph | None = None
    held: Batch | None = None
    losses: tuple[Tensor, Tensor] | None = None

    def replay(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Run the captured step on ``batch``."""
        if self.graph is None or self.held is None or self.losses is None:
            raise RuntimeError("the step has not been captured")
        self.held.features.copy_(batch.features)
        self.held.valid_frames.copy_(batch.valid_frames)
        self.held.targets.copy_(batch.targets)
        self.graph.replay()
        return self.losses


@contextmanager
def _beside(stream: torch.cuda.Stream) -> Iterator[None]:
    """Work on ``stream``, after all work queued before the context and before all work queued later."""
    current = torch.cuda.current_stream()
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield
    current.wait_stream(stream)


def _reason(error: RuntimeError) -> str:
    """First line of what went wrong first: ending a broken capture raises another error."""
    first: BaseException = error
    while first.__context__ is not None:
        first = first.__context__
    return str(first).strip().partition("\n")[0] or type(first).__name__
