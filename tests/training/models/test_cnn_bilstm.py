from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from schemas.errors import SpecError
from schemas.named_models import MODELS
from tests.training.models.conftest import MakeNetwork
from training.models import CnnBiLstm, build_model
from training.models.bilstm import MaskedBiLstm
from training.models.conv_block import step_mask

VALID = torch.tensor([64, 37, 16, 5])


@pytest.fixture
def model(make_network: MakeNetwork) -> nn.Module:
    """Model A for 40 coefficients, in evaluation."""
    return make_network("A", classes=14)


def test_logits_have_the_stated_shape(model: nn.Module) -> None:
    assert model(torch.randn(4, 1, 40, 64), VALID).shape == (4, 14)


def test_every_valid_frame_can_change_the_logits(model: nn.Module) -> None:
    """The last frame before an odd end is dropped by pooling by 2 twice; all others count."""
    x = torch.randn(1, 1, 40, 64, requires_grad=True)
    model(x, torch.tensor([37])).square().sum().backward()
    reached = x.grad[0, 0].abs().sum(dim=0) > 0
    assert reached[:36].all()
    assert not reached[37:].any()


def test_masked_bilstm_equals_torchs_on_packed_sequences() -> None:
    torch.manual_seed(1)
    ours, reference = MaskedBiLstm(6, 5), nn.LSTM(6, 5, batch_first=True, bidirectional=True)
    for name, parameter in reference.named_parameters():
        part = ours.backwards if name.endswith("_reverse") else ours.forwards
        parameter.data.copy_(getattr(part, name.removesuffix("_reverse")))
    sequence, valid = torch.randn(3, 9, 6), torch.tensor([9, 4, 1])
    packed = nn.utils.rnn.pack_padded_sequence(sequence, valid, batch_first=True)
    expected, _ = nn.utils.rnn.pad_packed_sequence(reference(packed)[0], batch_first=True)
    found = ours(sequence, valid) * step_mask(valid, 9)[..., None]
    torch.testing.assert_close(found, expected)


def test_dropout_works_in_training_alone(model: nn.Module) -> None:
    x = torch.randn(4, 1, 40, 64)
    assert torch.equal(model(x, VALID), model(x, VALID))
    model.train()
    assert not torch.equal(model(x, VALID), model(x, VALID))


def test_model_learns_32_samples_of_random_labels() -> None:
    torch.manual_seed(0)
    spec = MODELS["A"].model_copy(update={"dropout": 0.0, "block_dropout": 0.0})
    model = build_model(spec, coefficients=32, frames=32, classes=14)
    model = model.to(memory_format=torch.channels_last)
    x, labels = torch.randn(32, 1, 32, 32), torch.randint(14, (32,))
    valid = torch.randint(16, 33, (32,))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x, valid), labels)
        loss.backward()
        optimizer.step()
    assert (model(x, valid).argmax(dim=1) == labels).float().mean() > 0.95


STEPS = ("pool", "norm", "relu", "dropout")


@settings(max_examples=25)
@given(
    block=st.permutations(STEPS).flatmap(lambda order: st.integers(1, 4).map(lambda n: tuple(order[:n]))),
    pooling=st.sampled_from(["mean", "attention", "last"]),
    layers=st.integers(1, 2),
    dense=st.sampled_from([(), (5,), (7, 5)]),
    valid=st.integers(1, 24),
)
def test_padding_stays_outside_whatever_the_blocks_pooling_and_layers(
    block: tuple, pooling: str, layers: int, dense: tuple[int, ...], valid: int
) -> None:
    torch.manual_seed(0)
    pools = ((2, 2), (1, 2)) if "pool" in block else ((1, 1), (1, 1))
    model = CnnBiLstm(
        8, 24, 3, channels=(3, 4), pools=pools, block=block, pooling=pooling, layers=layers, dense=dense,
        hidden=5,
    ).eval()  # fmt: skip
    x, frames = torch.randn(2, 1, 8, 24), torch.tensor([valid, 24])
    shown = max(valid, 4)
    padded = torch.cat((x[:1, ..., :valid], torch.randn(1, 1, 8, shown - valid)), dim=3)
    torch.testing.assert_close(model(padded, frames[:1])[0], model(x, frames)[0], rtol=1e-4, atol=1e-6)


def test_features_that_pooling_uses_up_are_a_sentence() -> None:
    with pytest.raises(SpecError, match="12 coefficients × 20 frames are too small"):
        build_model(MODELS["A"], coefficients=12, frames=20, classes=14)
