from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from schemas.training import TrainSpec
from training.loop.loss import Loss, MixedTargets, balanced_weights, loss_of

CLASSES = 5
WEIGHTS = np.array([0.5, 1.0, 2.5, 0.25, 3.0])
UNEVEN = torch.from_numpy(WEIGHTS.astype(np.float32))


def drawn(count: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(count, CLASSES, generator=generator)
    return logits, torch.randint(0, CLASSES, (count,), generator=generator)


def mean(loss: Loss, logits: Tensor, targets: Tensor | MixedTargets) -> Tensor:
    summed, weight = loss(logits, targets)
    assert summed.dtype == weight.dtype == torch.float32
    return summed / weight


@given(
    count=st.integers(1, 40), smoothing=st.sampled_from([0.0, 0.1, 0.9]), weighted=st.booleans(),
    seed=st.integers(0, 2**32),
)  # fmt: skip
@settings(max_examples=50)
def test_loss_and_gradient_are_those_of_torchs_cross_entropy(
    count: int, smoothing: float, weighted: bool, seed: int
) -> None:
    logits, targets = drawn(count, seed)
    weights = UNEVEN if weighted else torch.ones(CLASSES)
    loss = Loss(weights.double().numpy(), smoothing)
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    got = mean(loss, ours, targets)
    expected = F.cross_entropy(theirs, targets, weight=weights, label_smoothing=smoothing)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(mean(loss, logits, MixedTargets.unmixed(targets)), expected)
    got.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_of_mixed_targets_is_that_of_torch_for_probabilities(smoothing: float) -> None:
    logits, first = drawn(30, 1)
    _, second = drawn(30, 2)
    share = torch.rand(30, generator=torch.Generator().manual_seed(3))
    soft = share[:, None] * F.one_hot(first, CLASSES) + (1 - share[:, None]) * F.one_hot(second, CLASSES)
    losses, weights = Loss(WEIGHTS, smoothing).each(logits, MixedTargets(first, second, share))
    # torch divides by the number of samples here, so that its terms are compared alone.
    expected = F.cross_entropy(logits, soft, UNEVEN, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(losses, expected)
    torch.testing.assert_close(weights, soft @ UNEVEN)


def test_sums_of_parts_of_a_batch_add_up_to_those_of_the_whole() -> None:
    logits, targets = drawn(31, 4)
    loss = Loss(WEIGHTS, 0.1)
    parts = [loss(logits[rank::3], targets[rank::3]) for rank in range(3)]
    got = sum(part.summed for part in parts) / sum(part.weight for part in parts)
    expected = F.cross_entropy(logits, targets, weight=UNEVEN, label_smoothing=0.1)
    torch.testing.assert_close(got, expected)


@given(st.lists(st.integers(0, CLASSES - 1), min_size=1, max_size=60))
def test_balanced_weights_are_those_of_scikit_learn_for_the_classes_that_are_there(
    classes: list[int],
) -> None:
    targets = np.array(classes)
    got, present = balanced_weights(targets, CLASSES), np.unique(targets)
    np.testing.assert_allclose(got[present], compute_class_weight("balanced", classes=present, y=targets))
    assert (np.delete(got, present) == 1).all()
    assert np.isclose(got[targets].mean(), 1)


def test_spec_says_weights_and_smoothing() -> None:
    targets = np.array([0, 0, 0, 1])
    logits, few = drawn(8, 5)[0][:, :2], torch.tensor([0, 1, 0, 0, 0, 1, 1, 0])
    spec = TrainSpec(class_weights="balanced", label_smoothing=0.1)
    weights = torch.tensor([4 / (2 * 3), 4 / 2])
    expected = F.cross_entropy(logits, few, weights, label_smoothing=0.1)
    torch.testing.assert_close(mean(loss_of(spec, targets, 2), logits, few), expected)
    plain = mean(loss_of(TrainSpec(), targets, 2), logits, few)
    torch.testing.assert_close(plain, F.cross_entropy(logits, few))


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits, targets = drawn(1000, 6)
    got = mean(Loss(WEIGHTS), logits.bfloat16(), targets)
    torch.testing.assert_close(got, F.cross_entropy(logits.bfloat16().float(), targets, UNEVEN))


def test_nothing_waits_for_the_device() -> None:
    loss = Loss(WEIGHTS, 0.1)
    with FakeTensorMode():
        whole, share = (torch.empty(4, dtype=kind, device="cuda") for kind in (torch.int64, torch.float32))
        there = Loss(WEIGHTS, 0.1).to("cuda")
        got = there(torch.empty(4, CLASSES, device="cuda"), MixedTargets(whole, whole, share))
    assert {tensor.device.type for tensor in got} == {"cuda"}
    logits, targets = drawn(4, 7)
    mixed = MixedTargets.unmixed(targets)
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    assert torch.equal(compiled(logits, mixed).summed, loss(logits, mixed).summed)
