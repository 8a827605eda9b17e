from __future__ import annotations

import pytest
import torch
from torch import nn

from training.models.batch_norm import BatchNorm1d, BatchNorm2d

KINDS = [(BatchNorm1d, nn.BatchNorm1d, (6, 4)), (BatchNorm2d, nn.BatchNorm2d, (6, 4, 3, 5))]


@pytest.mark.parametrize(("ours", "torchs", "shape"), KINDS)
def test_in_one_process_batch_norm_is_torchs_bit_for_bit(
    ours: type[nn.Module], torchs: type[nn.Module], shape: tuple[int, ...]
) -> None:
    results = []
    for kind in (ours, torchs):
        torch.manual_seed(0)
        layer, x = kind(4), (3 + 2 * torch.randn(shape)).requires_grad_()
        trained = [layer(x), layer(2 * x)]
        trained[1].square().sum().backward()
        results.append([*trained, x.grad, layer.weight.grad, *layer.buffers(), layer.eval()(x)])
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found, expected)
    assert list(ours(4).state_dict()) == list(torchs(4).state_dict())


@pytest.mark.parametrize(
    ("layer", "x"), [(BatchNorm1d(4), torch.randn(1, 4)), (BatchNorm2d(4), torch.randn(1, 4, 1, 1))]
)
def test_a_single_value_is_normalised_by_the_running_statistics(layer: nn.Module, x: torch.Tensor) -> None:
    with torch.no_grad():
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.5, 2)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    found = layer.train()(x)
    assert torch.equal(found, layer.eval()(x))
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
