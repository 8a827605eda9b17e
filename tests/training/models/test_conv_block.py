from __future__ import annotations

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F

from training.models.conv_block import ConvBlock, conv_blocks, step_mask


def test_step_mask_is_one_where_a_step_is_valid() -> None:
    assert step_mask(torch.tensor([0, 2, 3]), 3).tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 1]]


@pytest.mark.parametrize("steps", list(permutations(("pool", "norm", "relu", "dropout"))))
def test_steps_are_taken_in_the_order_listed(steps: tuple) -> None:
    """Dropout, which waits for the mask where it may, does what it would do in its place."""
    torch.manual_seed(0)
    block = ConvBlock(2, 16, (2, 2), steps, 0.4)
    with torch.no_grad():
        block.normalise.bias.normal_()
    x, valid = torch.randn(3, 2, 6, 8), torch.tensor([8, 6, 4])

    torch.manual_seed(3)
    drawn = torch.empty(3, 16).bernoulli_(0.6) / 0.6
    expected = F.conv2d(x, block.convolution.weight, block.convolution.bias, padding=1)
    for step in steps:
        if step == "pool":
            expected = F.max_pool2d(expected, 2)
        elif step == "norm":
            mean, var = expected.mean(dim=(0, 2, 3)), expected.var(dim=(0, 2, 3), correction=0)
            expected = (expected - mean[:, None, None]) / (var + 1e-5).sqrt()[:, None, None]
            expected = expected + block.normalise.bias[:, None, None]
        elif step == "relu":
            expected = expected.clamp(min=0)
        else:
            expected = expected * drawn[:, :, None, None]
    expected = expected * step_mask(valid // 2, 4)[:, None, None, :]

    torch.manual_seed(3)
    found, frames = block.train()(x, valid)
    assert frames.tolist() == [4, 3, 2]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("steps", "biased"),
    [
        (("pool", "norm", "relu"), False),
        (("norm", "relu", "pool"), False),
        (("relu", "norm", "pool"), True),
        (("relu", "pool"), True),
        (("pool",), True),
        (("dropout", "norm"), True),
    ],
)
def test_a_convolution_has_a_bias_unless_batch_norm_takes_it_away(steps: tuple, biased: bool) -> None:
    assert (ConvBlock(1, 2, (2, 2), steps, 0.0).convolution.bias is not None) == biased


def test_blocks_tell_the_shape_that_leaves_them() -> None:
    blocks, shape = conv_blocks(41, 30, (4, 8), ((2, 3), (5, 1)), ("norm", "pool"), 0.0)
    x, valid = torch.randn(2, 1, 41, 30), torch.tensor([30, 30])
    for block in blocks:
        x, valid = block(x, valid)
    assert tuple(x.shape[1:]) == shape == (8, 4, 10)
