"""Encoder blocks by other hands: torch's transformer layer and torchaudio's conformer, with our weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchaudio.models.conformer import ConformerLayer

from training.models.attention import RelativePositions
from training.models.conformer_block import ConformerBlock, FeedForward
from training.models.transformer_block import TransformerBlock


def biases_by_loops(positions: RelativePositions, steps: int) -> Tensor:
    """(heads, steps, steps): the bias of a head for each query and key, entry by entry."""
    table, distance = positions.biases.detach(), positions.distance
    found = torch.zeros(table.shape[1], steps, steps)
    for query in range(steps):
        for key in range(steps):
            found[:, query, key] = table[max(-distance, min(distance, key - query)) + distance]
    return found


def transformer_block(block: TransformerBlock, x: Tensor, biases: Tensor) -> Tensor:
    """torch's encoder layer on ``x`` (B, T, width) without padding; ``biases`` (B · heads, T, T)."""
    width, inner = block.joined.in_features, block.widen.out_features
    layer = nn.TransformerEncoderLayer(
        width, block.heads, inner, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    _copy_attention(layer.self_attn, block)
    for theirs, ours in (
        (layer.norm1, block.attention_norm),
        (layer.norm2, block.inner_norm),
        (layer.linear1, block.widen),
        (layer.linear2, block.narrow),
    ):
        theirs.load_state_dict(ours.state_dict())
    out: Tensor = layer(x, src_mask=biases)
    return out


class _Biased(nn.Module):
    """torch's attention with biases that torchaudio's conformer does not pass on."""

    def __init__(self, attention: nn.MultiheadAttention, biases: Tensor) -> None:
        super().__init__()
        self.attention, self.biases = attention, biases

    def forward(self, query: Tensor, key: Tensor, value: Tensor, **more: object) -> tuple[Tensor, None]:
        found, _ = self.attention(query, key, value, attn_mask=self.biases, **more)
        return found, None


class _StepNorm(nn.Module):
    """The layer norm of each step, in place of torchaudio's batch norm of (B, width, T)."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(x.transpose(1, 2)).transpose(1, 2)
        return out


def conformer_block(block: ConformerBlock, x: Tensor, biases: Tensor) -> Tensor:
    """torchaudio's conformer layer on ``x`` (B, T, width) without padding; ``biases`` (B · heads, T, T)."""
    width, inner = block.joined.in_features, block.first.widen.out_features
    convolution = block.convolution
    layer = ConformerLayer(width, inner, block.heads, convolution.depthwise.kernel_size[0]).eval()
    _copy_feed_forward(layer.ffn1, block.first)
    _copy_feed_forward(layer.ffn2, block.second)
    _copy_attention(layer.self_attn, block)
    layer.self_attn = _Biased(layer.self_attn, biases)
    gate, _, depthwise, _, _, joined, _ = layer.conv_module.sequential
    for theirs, ours in (
        (layer.self_attn_layer_norm, block.attention_norm),
        (layer.final_layer_norm, block.last_norm),
        (layer.conv_module.layer_norm, convolution.norm),
        (depthwise, convolution.depthwise),
    ):
        theirs.load_state_dict(ours.state_dict())
    for theirs, linear in ((gate, convolution.gate), (joined, convolution.joined)):
        theirs.load_state_dict({"weight": linear.weight[:, :, None], "bias": linear.bias})
    layer.conv_module.sequential[3] = _StepNorm(convolution.normalise)
    out: Tensor = layer(x.transpose(0, 1), None).transpose(0, 1)
    return out


def _copy_attention(theirs: nn.MultiheadAttention, ours: TransformerBlock | ConformerBlock) -> None:
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.projections.weight,
            "in_proj_bias": ours.projections.bias,
            "out_proj.weight": ours.joined.weight,
            "out_proj.bias": ours.joined.bias,
        }
    )


def _copy_feed_forward(theirs: nn.Module, ours: FeedForward) -> None:
    norm, widen, _, _, narrow, _ = theirs.sequential
    for their_layer, layer in ((norm, ours.norm), (widen, ours.widen), (narrow, ours.narrow)):
        their_layer.load_state_dict(layer.state_dict())
