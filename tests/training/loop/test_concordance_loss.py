"""The loss of a regression against the metric, and its gradient against differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.training.metrics.test_concordance import ccc_by_formula
from training.loop.concordance import DimensionLoss, concordance_loss
from training.loop.loss import MixedTargets
from training.runs.run import DimensionScale

SCALES = (
    DimensionScale(name="valence", mean=3.0, deviation=0.5),
    DimensionScale(name="arousal", mean=50.0, deviation=20.0),
)


def draw(clips: int, dimensions: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions and truths, float64."""
    generator = torch.Generator().manual_seed(clips)
    true = torch.randn(clips, dimensions, generator=generator, dtype=torch.float64)
    noise = torch.randn(clips, dimensions, generator=generator, dtype=torch.float64)
    return 0.4 * true + noise + 0.2, true


@pytest.mark.parametrize("clips", [2, 3, 32])
def test_the_loss_is_one_minus_the_metric(clips: int) -> None:
    predicted, true = draw(clips)
    expected = [1 - ccc_by_formula(x, y) for x, y in zip(true.T.numpy(), predicted.T.numpy(), strict=True)]
    np.testing.assert_allclose(concordance_loss(predicted, true).numpy(), expected, rtol=1e-12)


def test_its_gradient_is_that_of_differences() -> None:
    predicted, true = draw(7)
    predicted.requires_grad_()
    assert torch.autograd.gradcheck(lambda y: concordance_loss(y, true), (predicted,))


def test_training_measures_standardised_outputs_against_labels_in_their_units() -> None:
    predicted, standard = draw(16)
    labels = standard * torch.tensor([0.5, 20.0]) + torch.tensor([3.0, 50.0])
    summed, weight = DimensionLoss(SCALES)(predicted.float(), labels.float())
    assert float(weight) == 16
    expected = float(concordance_loss(predicted, standard).mean())
    assert float(summed / weight) == pytest.approx(expected, rel=1e-5)


def test_mixed_samples_have_mixed_values() -> None:
    predicted, labels = draw(8)
    other, share = labels.flip(0), torch.linspace(0, 1, 8, dtype=torch.float64)
    mixed = MixedTargets(labels, other, share)
    blended = labels * share[:, None] + other * (1 - share[:, None])
    loss = DimensionLoss(SCALES)
    assert float(loss(predicted, mixed).summed) == pytest.approx(float(loss(predicted, blended).summed))


@pytest.mark.parametrize(
    ("predicted", "true", "expected"),
    [
        ([[1.0], [2.0]], [[3.0], [3.0]], 1.0),  # constant truths
        ([[3.0], [3.0]], [[3.0], [3.0]], 0.0),  # 0 / 0
        ([[1.0]], [[2.0]], 1.0),  # a batch of one
    ],
)
def test_batches_without_variance_have_a_finite_loss_and_gradient(
    predicted: list[list[float]], true: list[list[float]], expected: float
) -> None:
    outputs = torch.tensor(predicted, requires_grad=True)
    loss = concordance_loss(outputs, torch.tensor(true)).mean()
    loss.backward()
    assert float(loss.detach()) == pytest.approx(expected)
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()


def test_bfloat16_outputs_are_measured_in_float32() -> None:
    predicted, labels = draw(16)
    assert DimensionLoss(SCALES)(predicted.bfloat16(), labels.float()).summed.dtype == torch.float32
