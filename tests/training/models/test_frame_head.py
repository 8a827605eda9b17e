"""The head on frames, against a plain computation of each clip without padding."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from schemas.architecture import FrameHeadSpec
from schemas.errors import SpecError
from schemas.named_models import MODELS
from training.models import StateLayout, build_model
from training.models.layer_weights import layer_shares

CLASSES, FRAMES = 5, 20
STATES = StateLayout("base", layers=(2, 3, 4), statistics=1, width=12)
VALID = torch.tensor([20, 13, 2, 1])
SHAPES = [
    {"pooling": "mean"},
    {"pooling": "mean+std"},
    {"pooling": "attention"},
    {"pooling": "attention+std"},
    {"pooling": "attention+std", "pooling_heads": 3},
    {"blocks": 2, "heads": 4, "inner": 10},
    {"blocks": 1, "heads": 2, "pooling": "mean", "dense": (6,)},
]


def make_network(**fields: object) -> nn.Module:
    """A network whose layer weights, norms and batch norms are not at their initial state, in evaluation."""
    torch.manual_seed(0)
    spec = MODELS["frame-head"].model_copy(update={"width": 8, **fields})
    network = build_model(spec, STATES.rows, FRAMES, CLASSES, (STATES,))
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "scores" in name or "norm" in name:
                value.uniform_(0.5, 2) if "var" in name else value.normal_() if "num" not in name else None
    return network.eval()


class Described:
    """The head as its description reads, for one clip without padding, with torch's plain functions."""

    def __init__(self, network: nn.Module, spec: FrameHeadSpec) -> None:
        self.of, self.spec = network.state_dict(), spec

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.of[f"{name}.weight"].T + self.of.get(f"{name}.bias", 0)

    def norm(self, x: Tensor, name: str) -> Tensor:
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, correction=0, keepdim=True)
        return (x - mean) / (variance + 1e-5).sqrt() * self.of[f"{name}.weight"] + self.of[f"{name}.bias"]

    def block(self, x: Tensor, name: str) -> Tensor:
        """x (T, width)."""
        query, key, value = self.linear(self.norm(x, f"{name}.attention_norm"), f"{name}.projections").chunk(
            3, 1
        )
        size, heads = x.shape[1] // self.spec.heads, []
        for head in range(self.spec.heads):
            part = slice(head * size, (head + 1) * size)
            weights = (query[:, part] @ key[:, part].T / math.sqrt(size)).softmax(dim=1)
            heads.append(weights @ value[:, part])
        x = x + self.linear(torch.cat(heads, dim=1), f"{name}.joined")
        wide = F.gelu(self.linear(self.norm(x, f"{name}.inner_norm"), f"{name}.widen"))
        return x + self.linear(wide, f"{name}.narrow")

    def pool(self, x: Tensor) -> Tensor:
        weights = torch.full((len(x), 1), 1 / len(x))
        if self.spec.pooling.startswith("attention"):
            weights = self.linear(x, "pooling.score").exp()
            weights = weights / weights.sum(0)
        means = [(w[:, None] * x).sum(0) for w in weights.T]
        deviations = [
            ((w[:, None] * (x - mean) ** 2).sum(0)).clamp(min=1e-6).sqrt()
            for w, mean in zip(weights.T, means, strict=True)
        ]
        return torch.cat([*means, *deviations] if self.spec.pooling.endswith("std") else means)

    def logits(self, clip: Tensor) -> Tensor:
        """clip (rows, T) → (classes,)."""
        weights = self.of["layers.scores"].softmax(0)
        mean = sum(w * layer for w, layer in zip(weights, clip.chunk(3), strict=True))
        assert isinstance(mean, Tensor)
        x = F.gelu(self.linear(self.norm(mean.T, "normalise"), "project"))
        for i in range(self.spec.blocks):
            x = self.block(x, f"blocks.{i}")
        pooled = self.pool(self.norm(x, "last_norm") if self.spec.blocks else x)
        for i in range(len(self.spec.dense)):
            pooled = self.linear(pooled, f"dense.{i}.linear")
            name = f"dense.{i}.normalise"
            scale = (self.of[f"{name}.running_var"] + 1e-5).sqrt()
            pooled = (pooled - self.of[f"{name}.running_mean"]) / scale
            pooled = F.relu(pooled * self.of[f"{name}.weight"] + self.of[f"{name}.bias"])
        return self.linear(pooled, "output")


@pytest.mark.parametrize("fields", SHAPES)
def test_a_padded_clip_has_the_logits_of_the_described_head_on_the_clip_alone(fields: dict) -> None:
    network = make_network(**fields)
    spec = MODELS["frame-head"].model_copy(update=fields)
    assert isinstance(spec, FrameHeadSpec)
    described = Described(network, spec)
    x = torch.randn(4, 1, STATES.rows, FRAMES)
    found = network(x, VALID)
    for i, valid in enumerate(VALID.tolist()):
        torch.testing.assert_close(found[i], described.logits(x[i, 0, :, :valid]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fields", SHAPES)
def test_what_is_in_padded_frames_does_not_change_the_logits(fields: dict) -> None:
    network = make_network(**fields)
    x = torch.randn(4, 1, STATES.rows, FRAMES)
    junk = torch.where(torch.arange(FRAMES) < VALID[:, None, None, None], x, 1e3 * torch.randn_like(x))
    assert not torch.equal(junk, x)
    torch.testing.assert_close(network(junk, VALID), network(x, VALID), rtol=0, atol=0)
    longer = torch.cat((x, torch.randn(4, 1, STATES.rows, 9)), dim=3)
    torch.testing.assert_close(network(longer, VALID), network(x, VALID), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fields", SHAPES)
def test_every_parameter_is_trained_also_by_a_clip_of_one_frame(fields: dict) -> None:
    network = make_network(**fields).train()
    valid = torch.tensor([20, 13, 7, 2, 1])
    F.cross_entropy(network(torch.randn(5, 1, STATES.rows, FRAMES), valid), torch.arange(5)).backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert all(g is not None and torch.isfinite(g).all() for g in gradients.values())
    # The bias of an attention moves all scores alike, which softmax does not see.
    idle = {name for name, g in gradients.items() if not g.abs().max() > 1e-9}
    assert idle <= {"pooling.score.bias"}


def test_the_weights_of_the_layers_are_named() -> None:
    (shares,) = layer_shares(make_network())
    assert (shares.feature, shares.layers) == ("base", (2, 3, 4))
    assert sum(shares.weights) == pytest.approx(1)


@pytest.mark.parametrize("states", [(), (STATES, STATES)])
def test_the_head_reads_the_frames_of_one_feature(states: tuple[StateLayout, ...]) -> None:
    rows = max(1, len(states)) * STATES.rows
    with pytest.raises(SpecError, match="a frame_head only one"):
        build_model(MODELS["frame-head"], rows, FRAMES, CLASSES, states)
