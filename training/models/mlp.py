"""A multilayer perceptron on all values of a sample.

::

    x (B, 1, C, T) ──▶ (B, C·T) ──▶ dropout ──▶ [linear ▶ batch norm ▶ ReLU ▶ dropout] × layers ──▶ linear
                   ──▶ (B, classes)

Made for functionals, (B, 1, C, 1). Given frames, it does not ignore padded ones, which are 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from training.models.cnn import DenseBlock
from training.models.dropout import UnitDropout


class Mlp(nn.Module):
    """Multilayer perceptron.

    Parameters
    ----------
    coefficients, frames : int
        Size of an input, C and T.
    classes : int
        Number of logits.
    hidden : sequence of int
        Widths of the dense layers.
    input_dropout, dropout : float
        Share of a sample's values dropped, and of units dropped after each dense layer.
    """

    def __init__(
        self,
        coefficients: int,
        frames: int,
        classes: int,
        *,
        hidden: Sequence[int] = (256,),
        input_dropout: float = 0.2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        widths = (coefficients * frames, *hidden)
        self.input_dropout = UnitDropout(input_dropout)
        self.dense = nn.ModuleList(map(DenseBlock, widths[:-1], widths[1:], [dropout] * len(hidden)))
        self.output = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor, valid_frames: Tensor) -> Tensor:
        """Logits (B, classes) of ``x`` (B, 1, C, T) float32; ``valid_frames`` (B,) are ignored."""
        del valid_frames
        x = self.input_dropout(x.flatten(1))
        for dense in self.dense:
            x = dense(x)
        logits: Tensor = self.output(x)
        return logits
