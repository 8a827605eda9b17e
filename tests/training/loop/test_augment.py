from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Generator, Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from schemas.training import SpecAugmentSpec, TrainSpec
from training.loop.augment import Augment, Rows
from training.loop.loss import MixedTargets

BANDS, FRAMES = 9, 14


def masks(**values: int) -> Augment:
    return Augment(TrainSpec(spec_augment=SpecAugmentSpec(**values)))


def batch(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Random features, 0 behind the valid frames, and classes."""
    generator = np.random.default_rng(count)
    valid = torch.from_numpy(generator.integers(3, FRAMES + 1, count))
    x = torch.from_numpy(generator.normal(size=(count, 1, BANDS, FRAMES)).astype(np.float32))
    x[(torch.arange(FRAMES) >= valid[:, None])[:, None, None, :].expand_as(x)] = 0
    return x, valid, torch.from_numpy(generator.integers(0, 5, count))


def intervals(hidden: Tensor) -> list[tuple[int, int]]:
    """Start and width of the one run of True in each row (B, n)."""
    out = []
    for row in hidden.tolist():
        at = [i for i, masked in enumerate(row) if masked]
        assert at == list(range(at[0], at[-1] + 1)) if at else True
        out.append((at[0] if at else -1, len(at)))
    return out


def test_evaluation_and_a_spec_without_augmentation_change_nothing() -> None:
    x, valid, targets = batch(6)
    everything = TrainSpec(mixup=0.4, spec_augment=SpecAugmentSpec(band_masks=2, frame_masks=2))
    for augment in (Augment(everything).eval(), Augment(TrainSpec())):
        before = torch.get_rng_state()
        got, frames, mixed = augment(x, valid, targets)
        assert torch.equal(got, x)
        assert torch.equal(frames, valid)
        assert torch.equal(mixed.first, targets)
        assert (mixed.share == 1).all()
        assert torch.equal(torch.get_rng_state(), before)


def test_what_is_given_stays_as_it_is() -> None:
    given_batch = batch(8)
    copies = [tensor.clone() for tensor in given_batch]
    augment = Augment(TrainSpec(mixup=0.4, spec_augment=SpecAugmentSpec(band_masks=2, frame_masks=2)))
    augment(*given_batch)
    assert all(torch.equal(one, two) for one, two in zip(given_batch, copies, strict=True))


def test_widths_of_masks_are_uniform_from_0_to_the_most_and_starts_wherever_they_fit() -> None:
    count, width = 40000, 4
    x, valid = torch.ones(count, 1, BANDS, 1), torch.ones(count, dtype=torch.int64)
    torch.manual_seed(1)
    got, _, _ = masks(band_masks=1, band_width=width)(x, valid, valid)
    found = intervals(got[:, 0, :, 0] == 0)
    widths = np.bincount([wide for _, wide in found], minlength=width + 1)
    assert stats.chisquare(widths).pvalue > 1e-3
    for wide in range(1, width + 1):
        starts = np.bincount([at for at, w in found if w == wide], minlength=BANDS - wide + 1)
        assert len(starts) == BANDS - wide + 1
        assert stats.chisquare(starts).pvalue > 1e-3


def test_masks_of_frames_lie_within_the_valid_ones_and_reach_both_their_ends() -> None:
    count = 20000
    valid = torch.arange(count) % FRAMES + 1
    torch.manual_seed(2)
    got, frames, _ = masks(frame_masks=1, frame_width=5)(torch.ones(count, 1, 1, FRAMES), valid, valid)
    assert torch.equal(frames, valid)
    hidden = got[:, 0, 0, :] == 0
    assert not (hidden & (torch.arange(FRAMES) >= valid[:, None])).any()
    for length in range(1, FRAMES + 1):
        found = [(at, wide) for at, wide in intervals(hidden[valid == length]) if wide]
        assert max(wide for _, wide in found) == min(5, length)
        assert {at for at, wide in found if wide == 1} == set(range(length))


@given(
    bands=st.integers(0, 3), band_width=st.integers(1, 30), frames=st.integers(0, 3),
    frame_width=st.integers(1, 30), seed=st.integers(0, 2**32),
)  # fmt: skip
@settings(max_examples=60)
def test_values_are_masked_by_whole_bands_and_frames_or_stay_as_they_are(
    bands: int, band_width: int, frames: int, frame_width: int, seed: int
) -> None:
    x, valid, targets = batch(5)
    torch.manual_seed(seed)
    augment = masks(band_masks=bands, band_width=band_width, frame_masks=frames, frame_width=frame_width)
    got, _, mixed = augment(x, valid, targets)
    assert torch.equal(mixed.first, targets)
    for before, after, length in zip(x[:, 0], got[:, 0], valid.tolist(), strict=True):
        changed = (before != after)[:, :length]
        assert (after[:, :length][changed] == 0).all()
        whole_bands, whole_frames = changed.all(dim=1), changed.all(dim=0)
        assert torch.equal(changed, whole_bands[:, None] | whole_frames[None, :])
        if not changed.all():
            assert int(whole_bands.sum()) <= bands * band_width
            assert int(whole_frames.sum()) <= frames * frame_width
        assert (after[:, length:] == 0).all()


def test_mixup_mixes_features_lengths_and_targets_of_the_same_pairs() -> None:
    x, valid, _ = batch(32)
    row = torch.arange(32)
    torch.manual_seed(3)
    got, frames, mixed = Augment(TrainSpec(mixup=0.5))(x, valid, row)
    assert torch.equal(mixed.first, row)
    assert sorted(mixed.second.tolist()) == row.tolist()
    assert (mixed.second != row).sum() > 20
    share = mixed.share[:, None, None, None]
    torch.testing.assert_close(got, share * x + (1 - share) * x[mixed.second])
    assert torch.equal(frames, torch.maximum(valid, valid[mixed.second]))
    behind = torch.arange(FRAMES) >= frames[:, None]
    assert (got[:, 0].transpose(1, 2)[behind] == 0).all()
    assert len(mixed.share.unique()) == 32, "a share for each sample"


@pytest.mark.parametrize("alpha", [0.02, 0.2, 0.4, 1.0, 4.0, 10.0])
def test_shares_are_drawn_from_the_beta_distribution(alpha: float) -> None:
    count = 50000
    x, zeros = torch.zeros(count, 1, 1, 1), torch.zeros(count, dtype=torch.int64)
    torch.manual_seed(4)
    share = Augment(TrainSpec(mixup=alpha))(x, zeros + 1, zeros)[2].share.double().numpy()
    assert share.min() >= 0
    assert share.max() <= 1
    # Of a small alpha many are so close to 0 or 1 that float32 rounds them: hence not up to the ends.
    at = np.linspace(0.001, 0.999, 999)
    drawn = np.searchsorted(np.sort(share), at) / count
    assert np.abs(drawn - stats.beta(alpha, alpha).cdf(at)).max() < 1.95 / np.sqrt(count)  # p = 0.001


def test_draws_are_those_of_the_default_generator_or_of_the_one_given() -> None:
    spec = TrainSpec(mixup=0.4, spec_augment=SpecAugmentSpec(band_masks=1, frame_masks=1))

    def run(seed: int, generator: Generator | None = None) -> Tensor:
        torch.manual_seed(seed)
        x: Tensor = Augment(spec)(*batch(8), generator=generator)[0]
        return x

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert torch.equal(run(1), run(2, Generator().manual_seed(1)))


@pytest.mark.parametrize(("total", "world"), [(12, 2), (13, 4), (2, 3)])
def test_ranks_together_have_the_masks_and_shares_of_one_process(total: int, world: int) -> None:
    x, valid, targets = batch(total)

    def run(spec: TrainSpec, rows: Rows) -> tuple[Tensor, Tensor, MixedTargets]:
        torch.manual_seed(5)
        _, rank, step = rows
        got: tuple[Tensor, Tensor, MixedTargets] = Augment(spec)(
            x[rank::step], valid[rank::step], targets[rank::step], rows
        )
        return got

    masked = TrainSpec(spec_augment=SpecAugmentSpec(band_masks=2, frame_masks=2, frame_width=4))
    mixed = TrainSpec(mixup=0.4)
    for rank in range(world):
        alone = run(masked, (total, 0, 1))[0][rank::world]
        assert torch.equal(run(masked, (total, rank, world))[0], alone)
        targets_here = run(mixed, (total, rank, world))[2]
        assert torch.equal(targets_here.share, run(mixed, (total, 0, 1))[2].share[rank::world])
        assert sorted(targets_here.second.tolist()) == sorted(targets[rank::world].tolist())


def test_nothing_waits_for_the_device_or_hangs_on_values() -> None:
    augment = Augment(TrainSpec(mixup=0.4, spec_augment=SpecAugmentSpec(band_masks=2, frame_masks=2)))
    # Tensors without values: reading one, or mixing those of two devices, raises.
    with FakeTensorMode():
        x = torch.empty(4, 1, BANDS, FRAMES, device="cuda")
        whole = torch.empty(4, dtype=torch.int64, device="cuda")
        got, frames, mixed = augment(x, whole, whole)
    assert got.shape == x.shape
    assert {tensor.device.type for tensor in (got, frames, *mixed)} == {"cuda"}
    compiled = torch.compile(augment, fullgraph=True, backend="eager")
    torch.manual_seed(6)
    expected = augment(*batch(4))[0]
    torch.manual_seed(6)
    assert torch.equal(compiled(*batch(4))[0], expected)
