"""Loss of a regression: 1 − CCC, the concordance correlation coefficient of Lin (1989), of each batch.

For truth ``x`` and prediction ``y`` of one dimension over the samples of a batch, with their means ``m``,
population variances ``s²`` and covariance ``s_xy``::

    CCC = 2 s_xy / (s_x² + s_y² + (m_x − m_y)²)

    1 − CCC = mean((x − y)²) / (s_x² + s_y² + (m_x − m_y)²)

The two forms are equal, and the second needs no difference of large numbers. The loss is its mean over the
dimensions. It is 0 for perfect agreement, 1 for none, up to 2 for the opposite.

Statistics are those of the batch, so the loss of an epoch, the mean over its samples, differs a little from
the loss of all its samples at once: the larger the batch, the less. If all truths of a batch are alike, the
CCC is 0, as the formula gives; with predictions that equal them, too, it is 0 / 0, and then the loss is its
limit for predictions that equal the truths as these become alike, 0. A batch of one sample therefore has the
loss 1 and no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.loop.loss import LossSum, MixedTargets
from training.runs.run import DimensionScale


def concordance_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """1 − CCC of each dimension, (dimensions,), of ``predicted`` and ``true`` (B, dimensions)."""
    error = (true - predicted).square().mean(dim=0)
    spread = (
        true.var(dim=0, correction=0)
        + predicted.var(dim=0, correction=0)
        + (true.mean(dim=0) - predicted.mean(dim=0)).square()
    )
    return error / torch.where(spread > 0, spread, 1.0)


class DimensionLoss(nn.Module):
    """The training loss of a regression, of outputs that are standardised by the training speakers.

    Holds ``mean`` and ``deviation`` (dimensions,) of the targets as buffers; never waits for the device.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, scales: Sequence[DimensionScale]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([scale.mean for scale in scales]))
        self.register_buffer("deviation", torch.tensor([scale.deviation for scale in scales]))

    def forward(self, outputs: Tensor, targets: MixedTargets | Tensor) -> LossSum:
        """Mean of 1 − CCC over the dimensions, times B, and B, for ``outputs`` (B, dimensions).

        ``targets`` are values in the manifest's units, (B, dimensions), or mixtures of two samples.
        """
        first, second, share = MixedTargets.unmixed(targets) if isinstance(targets, Tensor) else targets
        outputs = outputs.to(torch.promote_types(outputs.dtype, torch.float32))
        true = torch.lerp(second, first, share[:, None].to(first.dtype))
        standard = ((true - self.mean) / self.deviation).to(outputs.dtype)
        count = torch.full((), float(len(outputs)), device=outputs.device)
        return LossSum(concordance_loss(outputs, standard).mean() * count, count)
