"""A learnt weighted mean of the pooled layers of encoders, and a multilayer perceptron.

::

    x (B, 1, C, 1) ─┬▶ layers × statistics × width ▶ weighted mean of the layers ─┐
                    └▶ … of the next feature, with weights of its own            ─┴▶ (B, values)
                   ──▶ dropout ──▶ [linear ▶ batch norm ▶ ReLU ▶ dropout] × layers ──▶ linear
                   ──▶ (B, classes)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.models.cnn import DenseBlock
from training.models.dropout import UnitDropout
from training.models.layer_weights import LayerWeights
from training.models.state_layout import StateLayout


class LayerMlp(nn.Module):
    """Perceptron on weighted layers.

    Parameters
    ----------
    states : sequence of StateLayout
        Features side by side in the input.
    classes : int
        Number of logits.
    hidden : sequence of int
        Widths of the dense layers.
    input_dropout, dropout : float
        Share of a sample's values dropped after the weighted mean, and of units dropped after each dense
        layer.
    """

    def __init__(
        self,
        states: Sequence[StateLayout],
        classes: int,
        *,
        hidden: Sequence[int] = (256,),
        input_dropout: float = 0.2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.rows = [layout.rows for layout in states]
        self.layers = nn.ModuleList(map(LayerWeights, states))
        widths = (sum(layout.size for layout in states), *hidden)
        self.input_dropout = UnitDropout(input_dropout)
        self.dense = nn.ModuleList(map(DenseBlock, widths[:-1], widths[1:], [dropout] * len(hidden)))
        self.output = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor, valid_frames: Tensor) -> Tensor:
        """Logits (B, classes) of ``x`` (B, 1, C, 1) float32; ``valid_frames`` (B,) are ignored."""
        del valid_frames
        parts = torch.split(x[:, 0], self.rows, dim=1)
        weighted = [layer(part) for layer, part in zip(self.layers, parts, strict=True)]
        x = self.input_dropout(torch.cat(weighted, dim=1).flatten(1))
        for dense in self.dense:
            x = dense(x)
        logits: Tensor = self.output(x)
        return logits
