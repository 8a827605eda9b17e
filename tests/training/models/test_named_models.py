"""The named models compute what the published systems' descriptions say, written down with torch's layers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from schemas.named_models import MODELS
from tests.training.models.conftest import MakeNetwork
from tests.training.models.references import biases_by_loops, conformer_block, transformer_block
from training.models.bilstm import MaskedBiLstm
from training.models.conv_block import step_mask
from training.models.dropout import ChannelDropout, UnitDropout

BILSTMS = ("A", "B", "C", "cremad", "ravdess-attention", "tess-delta")
ENCODERS = ("ravdess-transformer", "ravdess-conformer")
SEQUENCES = (*BILSTMS, *ENCODERS)
"""Networks for inputs of any length."""
NETWORKS = (*SEQUENCES, "three-corpora-cnn")
VALID = torch.tensor([64, 37, 16, 5])


class Described:
    """A system as its description reads, in evaluation, for clips without padding."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.of = network, network.state_dict()

    def conv(self, x: Tensor, block: int) -> Tensor:
        name = f"blocks.{block}.convolution"
        return F.conv2d(x, self.of[f"{name}.weight"], self.of.get(f"{name}.bias"), padding=1)

    def norm(self, x: Tensor, name: str) -> Tensor:
        mean, var = self.of[f"{name}.running_mean"], self.of[f"{name}.running_var"]
        return F.batch_norm(x, mean, var, self.of[f"{name}.weight"], self.of[f"{name}.bias"])

    def bilstm(self, x: Tensor) -> Tensor:
        """(B, K, C, T) → (B, T, 256)."""
        x = x.permute(0, 3, 1, 2).flatten(2)
        lstm = nn.LSTM(x.shape[2], 128, batch_first=True, bidirectional=True)
        for name, parameter in lstm.named_parameters():
            part = "backwards" if name.endswith("_reverse") else "forwards"
            parameter.data.copy_(self.of[f"recurrent.0.{part}.{name.removesuffix('_reverse')}"])
        return lstm(x)[0]

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.of[f"{name}.weight"], self.of.get(f"{name}.bias"))


def four_corpora(blocks: int) -> Callable[[Described, Tensor], Tensor]:
    def logits(system: Described, x: Tensor) -> Tensor:
        for i in range(blocks):
            x = F.max_pool2d(system.conv(x, i), (2, 2) if i < 2 else (2, 1))
            x = F.relu(system.norm(x, f"blocks.{i}.normalise"))
        return system.linear(system.bilstm(x).mean(dim=1), "output")

    return logits


def cremad(system: Described, x: Tensor) -> Tensor:
    """Conv2D 64 filters 3×3 + ReLU, max-pool 2×2, BiLSTM 128, dense; both final states, as Keras."""
    assert system.of["blocks.0.convolution.weight"].shape == (64, 1, 3, 3)
    states = system.bilstm(F.max_pool2d(F.relu(system.conv(x, 0)), 2))
    return system.linear(torch.cat((states[:, -1, :128], states[:, 0, 128:]), dim=1), "output")


def ravdess_attention(system: Described, x: Tensor) -> Tensor:
    """Conv2D 1→32 and 32→64, each ReLU → BatchNorm → MaxPool; BiLSTM 128; attention; Linear 256→classes."""
    for i in range(2):
        x = F.max_pool2d(system.norm(F.relu(system.conv(x, i)), f"blocks.{i}.normalise"), 2)
    assert x.shape[1] == 64
    states = system.bilstm(x)
    weights = torch.softmax(system.linear(states, "pooling.score"), dim=1)
    pooled = (weights * states).sum(dim=1)
    assert pooled.shape[1] == 256
    return system.linear(pooled, "output")


def tess_delta(system: Described, x: Tensor) -> Tensor:
    """(Conv2D → BatchNorm → ReLU → MaxPool) × 2, BiLSTM 128, Linear → ReLU → Linear."""
    for i in range(2):
        x = F.max_pool2d(F.relu(system.norm(system.conv(x, i), f"blocks.{i}.normalise")), 2)
    return system.linear(F.relu(system.linear(system.bilstm(x).mean(dim=1), "dense.0")), "output")


def three_corpora_cnn(system: Described, x: Tensor) -> Tensor:
    """Four blocks 64-128-256-512 (BatchNorm → ReLU → MaxPool 2×2), Dense 512 and 256 (BatchNorm → ReLU)."""
    for i, width in enumerate((64, 128, 256, 512)):
        x = F.max_pool2d(F.relu(system.norm(system.conv(x, i), f"blocks.{i}.normalise")), 2)
        assert x.shape[1] == width
    x = x.flatten(1)
    for i, width in enumerate((512, 256)):
        x = F.relu(system.norm(system.linear(x, f"dense.{i}.linear"), f"dense.{i}.normalise"))
        assert x.shape[1] == width
    return system.linear(x, "output")


def encoder(block: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> Callable[[Described, Tensor], Tensor]:
    """Four blocks as model A, linear, four encoder blocks with biases of attention; attentive statistics."""

    def logits(system: Described, x: Tensor) -> Tensor:
        for i in range(4):
            x = F.max_pool2d(system.conv(x, i), (2, 2) if i < 2 else (2, 1))
            x = F.relu(system.norm(x, f"blocks.{i}.normalise"))
        x = system.linear(x.permute(0, 3, 1, 2).flatten(2), "project")
        for own in system.network.encoder:
            x = block(own, x, biases_by_loops(own.positions, x.shape[1]).repeat(len(x), 1, 1))
        if "last_norm.weight" in system.of:
            x = F.layer_norm(x, x.shape[2:], system.of["last_norm.weight"], system.of["last_norm.bias"])
        weights = system.linear(x, "pooling.score").softmax(dim=1)
        mean = (weights * x).sum(dim=1)
        deviation = (weights * (x - mean[:, None]) ** 2).sum(dim=1).sqrt()
        return system.linear(torch.cat((mean, deviation), dim=1), "output")

    return logits


def functionals_mlp(system: Described, x: Tensor) -> Tensor:
    """Linear 256 → BatchNorm → ReLU → Linear, on all values."""
    x = F.relu(system.norm(system.linear(x.flatten(1), "dense.0.linear"), "dense.0.normalise"))
    assert x.shape[1] == 256
    return system.linear(x, "output")


DESCRIPTIONS = {
    "A": four_corpora(4),
    "B": four_corpora(5),
    "C": four_corpora(4),
    "cremad": cremad,
    "ravdess-attention": ravdess_attention,
    "tess-delta": tess_delta,
    "three-corpora-cnn": three_corpora_cnn,
    "functionals-mlp": functionals_mlp,
    "ravdess-transformer": encoder(transformer_block),
    "ravdess-conformer": encoder(conformer_block),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_named_model_computes_what_its_description_says(name: str, make_network: MakeNetwork) -> None:
    network = make_network(name, coefficients=33, frames=35)
    x = torch.randn(3, 1, 33, 35)
    found = network(x, torch.full((3,), 35))
    torch.testing.assert_close(found, DESCRIPTIONS[name](Described(network), x), rtol=1e-4, atol=1e-5)


def test_every_named_network_has_a_description() -> None:
    """Heads on features of encoders have theirs in tests of their own."""
    linear = {"functionals", "functionals-lda", "functionals-ridge", "lda", "svm", "logistic", "ridge"}
    assert {*DESCRIPTIONS, "layer-mlp", "frame-head"} | linear == set(MODELS)


@pytest.mark.parametrize(
    ("name", "channel_shares", "unit_shares"),
    [
        ("A", {0.3}, {0.0, 0.3}),
        ("B", {0.3}, {0.0, 0.3}),
        ("C", {0.3}, {0.0, 0.3}),
        ("cremad", {0.0}, {0.0}),
        ("ravdess-attention", {0.2}, {0.2, 0.0}),
        ("tess-delta", {0.0}, {0.0, 0.3}),
        ("three-corpora-cnn", {0.2}, {0.3}),
        ("ravdess-transformer", {0.1}, {0.1, 0.2, 0.3}),
        ("ravdess-conformer", {0.1}, {0.1, 0.2, 0.3}),
    ],
)
def test_dropout_has_the_stated_shares(
    name: str, channel_shares: set[float], unit_shares: set[float], make_network: MakeNetwork
) -> None:
    modules = list(make_network(name).modules())
    assert {module.share for module in modules if isinstance(module, ChannelDropout)} == channel_shares
    assert {module.share for module in modules if isinstance(module, UnitDropout)} == unit_shares


def test_dropout_stands_where_the_descriptions_have_it(make_network: MakeNetwork) -> None:
    """R3: between BiLSTM and attention; R4: after the dense layer's ReLU, not before the dense layer.

    Where no dense layer is, before the output.
    """
    x, valid = torch.randn(2, 1, 40, 64), torch.tensor([64, 64])
    attention, delta, a = (make_network(name) for name in ("ravdess-attention", "tess-delta", "A"))
    seen: dict[str, Tensor] = {}
    times: list[Tensor] = []
    delta.dropout.register_forward_hook(lambda *args: times.append(args[2]))
    a.output.register_forward_pre_hook(lambda _, args: seen.update(alone=args[0]))
    a.train()(x, valid)
    assert 0.2 < (seen["alone"] == 0).float().mean() < 0.4
    attention.pooling.register_forward_pre_hook(lambda _, args: seen.update(sequence=args[0]))
    attention.output.register_forward_pre_hook(lambda _, args: seen.update(attended=args[0]))
    delta.dense[0].register_forward_pre_hook(lambda _, args: seen.update(before=args[0]))
    delta.output.register_forward_pre_hook(lambda _, args: seen.update(after=args[0]))
    attention.train()(x, valid)
    delta.train()(x, valid)
    assert 0.15 < (seen["sequence"] == 0).float().mean() < 0.25
    assert (seen["attended"] != 0).all()
    assert (seen["before"] != 0).all()
    assert (seen["after"] == 0).float().mean() > 0.4  # half by ReLU, 0.3 of the rest
    assert len(times) == 1


@pytest.mark.parametrize("name", NETWORKS)
def test_what_stands_in_padded_frames_does_not_change_the_logits(
    name: str, make_network: MakeNetwork
) -> None:
    network = make_network(name)
    x = torch.randn(4, 1, 40, 64)
    padded = step_mask(VALID, 64)[:, None, None, :] == 0
    junk = torch.where(padded, 1e3 * torch.randn_like(x), x)
    assert not torch.equal(junk, x)
    torch.testing.assert_close(network(junk, VALID), network(x, VALID), rtol=0, atol=0)


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_padded_clip_has_the_logits_of_the_clip_alone(name: str, make_network: MakeNetwork) -> None:
    network = make_network(name)
    x = torch.randn(4, 1, 40, 64)
    together = network(x, VALID)
    for i, valid in enumerate(VALID.tolist()):
        alone = network(x[i : i + 1, :, :, :valid], VALID[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("valid", [1, 2, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_clip_of_fewer_frames_than_pooling_joins_still_has_finite_logits(
    name: str, valid: int, make_network: MakeNetwork
) -> None:
    network = make_network(name)
    assert torch.isfinite(network(torch.randn(1, 1, 40, 64), torch.tensor([valid]))).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_is_trained(name: str, make_network: MakeNetwork) -> None:
    network = make_network(name).train()
    # An attention's bias moves all scores of a clip alike, which softmax does not see.
    F.cross_entropy(network(torch.randn(6, 1, 40, 64), torch.full((6,), 50)), torch.arange(6)).backward()
    idle = {key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()}
    assert idle <= {"pooling.score.bias"}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_of_one_clip_can_be_trained_on(name: str, make_network: MakeNetwork) -> None:
    """The last batch of an epoch may be that small."""
    network = make_network(name).train()
    network(torch.randn(1, 1, 40, 64), torch.tensor([50])).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


def test_model_a_for_the_four_corpora_has_four_convolutions_and_one_bilstm(
    make_network: MakeNetwork,
) -> None:
    model = make_network("A", coefficients=170, frames=130, classes=14)
    assert sum(isinstance(m, nn.Conv2d) for m in model.modules()) == 4
    assert sum(isinstance(m, MaskedBiLstm) for m in model.modules()) == 1
    # Conv 9·(1·16 + 16·32 + 32·64 + 64·64), batch norm 2·176, LSTM 2·4·128·(640 + 128 + 2), linear 257·14.
    assert sum(p.numel() for p in model.parameters()) == 60_048 + 352 + 788_480 + 3_598


@pytest.mark.parametrize(
    ("name", "block"),
    [
        # Attention 4·128² + 4·128, feed-forward 2·128·256 + 256 + 128, norms 2·2·128, biases 33·4.
        ("ravdess-transformer", 4 * 128 * 129 + 2 * 128 * 256 + 384 + 512 + 132),
        # Two feed-forward layers, attention, gate 96·192, kernel 96·15, joined 96², norms, biases 33·4.
        (
            "ravdess-conformer",
            2 * (2 * 96 * 192 + 288) + 4 * 96 * 97 + 97 * 192 + 96 * 16 + 96 * 97 + 1_152 + 132,
        ),
    ],
)
def test_an_encoder_has_the_convolutions_of_model_a_and_four_blocks(
    name: str, block: int, make_network: MakeNetwork
) -> None:
    model = make_network(name, coefficients=128, frames=130, classes=8)
    width = model.project.out_features
    last = 2 * width if name == "ravdess-transformer" else 0
    # Convolutions and batch norm as in model A, 64 channels × 8 bands to width, score, two statistics.
    rest = 60_048 + 352 + 513 * width + last + (width + 1) + (2 * width + 1) * 8
    assert sum(p.numel() for p in model.parameters()) == rest + 4 * block
