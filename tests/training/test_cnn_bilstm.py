from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from schemas.architecture import MODELS, named_model
from schemas.errors import SpecError, UnknownNameError
from training.models.cnn_bilstm import CnnBiLstm, MaskedBiLstm, step_mask
from training.models.registry import build_model


@pytest.fixture
def model() -> CnnBiLstm:
    """Model A for 40 coefficients, in evaluation, its batch norms not at their initial state."""
    torch.manual_seed(0)
    model = build_model(MODELS["A"], coefficients=40, frames=64, classes=14)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                module.bias.normal_()
    return model.eval()


VALID = torch.tensor([64, 37, 16, 5])


def test_logits_have_the_stated_shape(model: CnnBiLstm) -> None:
    assert model(torch.randn(4, 1, 40, 64), VALID).shape == (4, 14)


def test_model_a_for_the_four_corpora_has_four_convolutions_and_one_bilstm() -> None:
    model = build_model(MODELS["A"], coefficients=170, frames=130, classes=14)
    assert sum(isinstance(m, nn.Conv2d) for m in model.modules()) == 4
    assert sum(isinstance(m, MaskedBiLstm) for m in model.modules()) == 1
    # Conv 9·(1·16 + 16·32 + 32·64 + 64·64), batch norm 2·176, LSTM 2·4·128·(640 + 128 + 2), linear 257·14.
    assert sum(p.numel() for p in model.parameters()) == 60_048 + 352 + 788_480 + 3_598


def test_what_stands_in_padded_frames_does_not_change_the_logits(model: CnnBiLstm) -> None:
    x = torch.randn(4, 1, 40, 64)
    padded = step_mask(VALID, 64)[:, None, None, :] == 0
    junk = torch.where(padded, 1e3 * torch.randn_like(x), x)
    assert not torch.equal(junk, x)
    torch.testing.assert_close(model(junk, VALID), model(x, VALID), rtol=0, atol=0)


def test_a_padded_clip_has_the_logits_of_the_clip_alone(model: CnnBiLstm) -> None:
    x = torch.randn(4, 1, 40, 64)
    together = model(x, VALID)
    for i, valid in enumerate(VALID.tolist()):
        alone = model(x[i : i + 1, :, :, :valid], VALID[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("valid", [1, 2, 3])
def test_a_clip_of_fewer_frames_than_pooling_joins_still_has_finite_logits(
    model: CnnBiLstm, valid: int
) -> None:
    logits = model(torch.randn(1, 1, 40, 64), torch.tensor([valid]))
    assert torch.isfinite(logits).all()


def test_every_valid_frame_can_change_the_logits(model: CnnBiLstm) -> None:
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


def test_dropout_works_in_training_alone(model: CnnBiLstm) -> None:
    x = torch.randn(4, 1, 40, 64)
    assert torch.equal(model(x, VALID), model(x, VALID))
    model.train()
    assert not torch.equal(model(x, VALID), model(x, VALID))


def test_dropout_keeps_the_mean_and_drops_whole_channels() -> None:
    from training.models.cnn_bilstm import ConvBlock

    torch.manual_seed(0)
    block = ConvBlock(1, 64, (1, 1), 0.25)
    x, valid = torch.randn(64, 1, 6, 6), torch.full((64,), 6)
    dropped, _ = block(x, valid)
    block.dropout = 0.0
    whole, _ = block(x, valid)
    ratio = dropped / whole.clamp(min=1e-9)
    per_channel = ratio.masked_fill(whole == 0, 0).amax(dim=(2, 3))
    values = per_channel[whole.amax(dim=(2, 3)) > 0]
    gone = values == 0
    torch.testing.assert_close(values[~gone], torch.full_like(values[~gone], 1 / 0.75), rtol=1e-3, atol=0)
    # 4,096 channels: deviation of the share 0.0068.
    assert abs(float(gone.float().mean()) - 0.25) < 0.035


def test_model_learns_32_samples_of_random_labels() -> None:
    torch.manual_seed(0)
    spec = MODELS["A"].model_copy(update={"dropout": 0.0})
    model = build_model(spec, coefficients=48, frames=64, classes=14)
    model = model.to(memory_format=torch.channels_last)
    x, labels = torch.randn(32, 1, 48, 64), torch.randint(14, (32,))
    valid = torch.randint(20, 65, (32,))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x, valid), labels)
        loss.backward()
        optimizer.step()
    assert (model(x, valid).argmax(dim=1) == labels).float().mean() > 0.95


def test_blocks_and_layers_are_arguments() -> None:
    model = CnnBiLstm(64, 64, 3, channels=(4, 4, 8, 8, 8), pools=((2, 2),) * 5, hidden=4, layers=2)
    assert model(torch.randn(2, 1, 64, 64), torch.tensor([64, 40])).shape == (2, 3)


def test_features_that_pooling_uses_up_are_a_sentence() -> None:
    with pytest.raises(SpecError, match="12 coefficients × 20 frames are too small"):
        build_model(MODELS["A"], coefficients=12, frames=20, classes=14)


def test_unknown_models_are_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="unknown model 'Z'; choose one of A"):
        named_model({"name": "Z"})
