"""Transformer and conformer blocks against those of torch and torchaudio, and what padding changes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tests.training.models.references import biases_by_loops, conformer_block, transformer_block
from training.models.attention import RelativePositions, attend, attention_mask
from training.models.conformer_block import ConformerBlock
from training.models.transformer_block import TransformerBlock

STEPS, WIDTH, HEADS, INNER, DISTANCE, KERNEL = 13, 8, 4, 12, 5, 7
VALID = torch.tensor([13, 8, 2, 1])
KEEP = torch.arange(STEPS) < VALID[:, None]
KINDS = ("transformer", "conformer")
REFERENCES = {"transformer": transformer_block, "conformer": conformer_block}


def make_block(kind: str, *, biased: bool = True) -> nn.Module:
    """A block without dropout whose norms, and biases if ``biased``, are not at their initial state."""
    torch.manual_seed(0)
    block: nn.Module
    if kind == "transformer":
        block = TransformerBlock(WIDTH, HEADS, INNER, 0.0, DISTANCE)
    else:
        block = ConformerBlock(WIDTH, HEADS, INNER, 0.0, distance=DISTANCE, kernel=KERNEL)
    with torch.no_grad():
        for name, value in block.named_parameters():
            if "norm" in name:
                value.uniform_(0.5, 2)
        if biased:
            block.positions.biases.normal_()
    return block


def sequence() -> Tensor:
    return torch.randn(len(VALID), STEPS, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_padded_clip_has_the_states_of_the_reference_on_the_clip_alone(kind: str, biased: bool) -> None:
    block, x = make_block(kind, biased=biased), sequence()
    found = block(x, KEEP)
    for i, valid in enumerate(VALID.tolist()):
        biases = biases_by_loops(block.positions, valid)
        assert biases.any() == biased
        expected = REFERENCES[kind](block, x[i : i + 1, :valid], biases)
        torch.testing.assert_close(found[i, :valid], expected[0], rtol=1e-5, atol=1e-5)


def test_without_biases_a_block_is_torchs_encoder_layer_with_a_mask_of_padded_keys() -> None:
    block, x = make_block("transformer", biased=False), sequence()
    layer = nn.TransformerEncoderLayer(
        WIDTH, HEADS, INNER, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    theirs = dict(layer.named_parameters())
    ours = dict(block.named_parameters())
    names = {
        "self_attn.in_proj_": "projections.",
        "self_attn.out_proj.": "joined.",
        "norm1.": "attention_norm.",
        "norm2.": "inner_norm.",
        "linear1.": "widen.",
        "linear2.": "narrow.",
    }
    for their_name, name in names.items():
        for part in ("weight", "bias"):
            theirs[their_name + part].data.copy_(ours[name + part])
    found, expected = block(x, KEEP), layer(x, src_key_padding_mask=~KEEP)
    torch.testing.assert_close(found[KEEP], expected[KEEP], rtol=1e-5, atol=1e-5)
    for states in (found, expected):
        (states * KEEP[..., None]).square().sum().backward()
    for their_name, name in names.items():
        for part in ("weight", "bias"):
            gradient = ours[name + part].grad
            torch.testing.assert_close(gradient, theirs[their_name + part].grad, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_in_padded_steps_changes_neither_states_nor_gradients(kind: str) -> None:
    block, x = make_block(kind), sequence()
    junk = torch.where(KEEP[..., None], x, 1e3 * torch.randn_like(x))
    assert not torch.equal(junk, x)
    seen = []
    for given in (x, junk):
        block.zero_grad()
        states = block(given, KEEP)[KEEP]
        states.square().sum().backward()
        seen.append((states.detach(), {name: p.grad.clone() for name, p in block.named_parameters()}))
    torch.testing.assert_close(seen[1], seen[0], rtol=0, atol=0)


def test_attention_with_biases_is_the_formula() -> None:
    torch.manual_seed(2)
    positions, x = RelativePositions(HEADS, DISTANCE), sequence()
    positions.biases.data.normal_()
    projections, joined = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
    found = attend(x, attention_mask(KEEP, positions), HEADS, projections, joined)
    size = WIDTH // HEADS
    for clip, valid in enumerate(VALID.tolist()):
        query, key, value = projections(x[clip, :valid]).chunk(3, dim=1)
        heads = []
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            scores = query[:, part] @ key[:, part].T / math.sqrt(size)
            weights = (scores + biases_by_loops(positions, valid)[head]).softmax(dim=1)
            heads.append(weights @ value[:, part])
        expected = joined(torch.cat(heads, dim=1))
        torch.testing.assert_close(found[clip, :valid], expected, rtol=1e-5, atol=1e-5)


def test_distances_beyond_the_largest_share_a_bias() -> None:
    positions = RelativePositions(1, 2)
    positions.biases.data[:, 0] = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert positions(4)[0].tolist() == [
        [0.0, 1.0, 2.0, 2.0],
        [-1.0, 0.0, 1.0, 2.0],
        [-2.0, -1.0, 0.0, 1.0],
        [-2.0, -2.0, -1.0, 0.0],
    ]


def test_a_block_without_positions_has_the_weights_of_earlier_versions() -> None:
    """Runs of the head on frames are read by these names."""
    layers = ("attention_norm", "projections", "joined", "inner_norm", "widen", "narrow")
    names = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    assert set(TransformerBlock(WIDTH, HEADS, INNER, 0.1).state_dict()) == names
