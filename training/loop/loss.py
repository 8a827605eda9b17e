"""Cross-entropy with class weights, label smoothing and mixed targets, as a sum and the sum of its weights.

For sample ``i`` with shares ``s`` of its classes, ``q = (1 − ε) s + ε / K`` and class weights ``w``::

    lossᵢ = − Σ_c q_c w_c log p_c        weightᵢ = Σ_c s_c w_c        loss = Σ lossᵢ / Σ weightᵢ

With one class per sample, this is exactly ``torch.nn.CrossEntropyLoss(weight, label_smoothing)``. If several
processes train, each returns its two sums, and the totals are divided.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from schemas.training import TrainSpec


class MixedTargets(NamedTuple):
    """Sample ``i`` belongs to class ``first[i]`` by ``share[i]``, to class ``second[i]`` by the rest.

    ``first``, ``second`` (B,) int64, ``share`` (B,) float32 in 0…1. Values of dimensions (B, dimensions) are
    mixed in the same way.
    """

    first: Tensor
    second: Tensor
    share: Tensor

    @classmethod
    def unmixed(cls, targets: Tensor) -> MixedTargets:
        """Targets that are not mixed: each sample belongs entirely to its class, or has its own values."""
        return cls(targets, targets, torch.ones(len(targets), device=targets.device))


class LossSum(NamedTuple):
    """Weighted losses summed over samples, and the sum of the weights; scalars, float32."""

    summed: Tensor
    weight: Tensor


class Loss(nn.Module):
    """The training loss. Holds ``class_weights`` (K,) as a buffer; never waits for the device."""

    class_weights: Tensor

    def __init__(self, class_weights: NDArray[np.float64], label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", torch.tensor(class_weights, dtype=torch.float32))

    def forward(self, logits: Tensor, targets: MixedTargets | Tensor) -> LossSum:
        """Loss of ``logits`` (B, K), any float dtype; ``targets`` are classes (B,) int64 or mixtures."""
        losses, weights = self.each(logits, targets)
        return LossSum(losses.sum(), weights.sum())

    def each(self, logits: Tensor, targets: MixedTargets | Tensor) -> tuple[Tensor, Tensor]:
        """Weighted loss and weight of every sample, (B,) float32 each."""
        first, second, share = MixedTargets.unmixed(targets) if isinstance(targets, Tensor) else targets
        log_p = F.log_softmax(logits.float(), dim=1)
        weighted = -log_p * self.class_weights
        own = torch.lerp(_of(weighted, second), _of(weighted, first), share)
        weights = torch.lerp(self.class_weights[second], self.class_weights[first], share)
        if self.label_smoothing:
            own = torch.lerp(own, weighted.mean(dim=1), self.label_smoothing)
        return own, weights


def loss_of(spec: TrainSpec, targets: NDArray[np.int64], classes: int) -> Loss:
    """Loss of ``spec`` over ``classes``; ``targets`` (n,) are the classes of the training samples."""
    weights = balanced_weights(targets, classes) if spec.class_weights == "balanced" else np.ones(classes)
    return Loss(weights, spec.label_smoothing)


def balanced_weights(targets: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Weights n / (present classes · n of the class), (classes,), as scikit-learn's ``compute_class_weight``.

    scikit-learn gives weights only to present classes. Here, a class without samples gets 1, the mean weight
    of a training sample. In training this matters only for label smoothing; in validation its clips then
    count like any others.
    """
    counts = np.bincount(targets, minlength=classes)
    present = counts > 0
    weights = len(targets) / (present.sum() * np.maximum(counts, 1))
    return np.where(present, weights, 1.0)


def _of(values: Tensor, classes: Tensor) -> Tensor:
    """``values`` (B, K) at ``classes`` (B,)."""
    return values.gather(1, classes[:, None]).squeeze(1)
