"""A bidirectional LSTM that ignores padding (Hochreiter & Schmidhuber 1997; Schuster & Paliwal 1997)."""

from __future__ import annotations

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
        ahead, _ = self.forwards(sequence)
        back, _ = self.backwards(_reorder_steps(sequence, mirrored))
        return torch.cat((ahead, _reorder_steps(back, mirrored)), dim=2)


def _reorder_steps(sequence: Tensor, steps: Tensor) -> Tensor:
    """``sequence`` (B, T, K) with its steps in the order ``steps`` (B, T)."""
    return sequence.gather(1, steps[..., None].expand_as(sequence))
