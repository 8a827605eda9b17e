"""A bidirectional LSTM that ignores padding (Hochreiter & Schmidhuber 1997; Schuster & Paliwal 1997)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MaskedBiLstm(nn.Module):
    """One bidirectional LSTM layer whose backward direction starts at the last valid step."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.forwards = nn.LSTM(inputs, hidden, batch_first=True)
        self.backwards = nn.LSTM(inputs, hidden, batch_first=True)

    def forward(self, sequence: Tensor, valid_steps: Tensor) -> Tensor:
        """(B, T, inputs) → (B, T, 2 · hidden). Output after the valid steps is meaningless.

        On a GPU it computes in float32: autocast to bfloat16 would run cuDNN's LSTM in float16 (torch 2.11),
        whose gradients would have to be scaled.
        """
        if not sequence.is_cuda:
            return self._both_directions(sequence, valid_steps)
        with torch.autocast("cuda", enabled=False):
            return self._both_directions(sequence.float(), valid_steps)

    def _both_directions(self, sequence: Tensor, valid_steps: Tensor) -> Tensor:
        step = torch.arange(sequence.shape[1], device=sequence.device)
        mirrored = torch.where(step < valid_steps[:, None], valid_steps[:, None] - 1 - step, step)
        with _beside_if_captured(sequence) as beside:
            back, _ = self.backwards(_reorder_steps(sequence, mirrored))
            back = _reorder_steps(back, mirrored)
        ahead, _ = self.forwards(sequence)
        if beside is not None:
            torch.cuda.current_stream().wait_stream(beside)
        return torch.cat((ahead, back), dim=2)


@contextmanager
def _beside_if_captured(x: Tensor) -> Iterator[torch.cuda.Stream | None]:
    """While a CUDA graph is captured, work on a stream of its own, which the caller has to join.

    ::

        ──┬── forwards ────────────┬── concatenate
          └── reorder, backwards ──┘

    The backward pass forks and joins there too, as autograd uses the streams of the forward pass. A
    direction is a chain of small kernels, one per step, that leaves most of a GPU idle. Without a graph, the
    host cannot launch even one direction fast enough for a second stream to help.
    """
    if not (x.is_cuda and torch.cuda.is_current_stream_capturing()):
        yield None
        return
    beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        yield beside


def _reorder_steps(sequence: Tensor, steps: Tensor) -> Tensor:
    """``sequence`` (B, T, K) with its steps in the order ``steps`` (B, T)."""
    return sequence.gather(1, steps[..., None].expand_as(sequence))
