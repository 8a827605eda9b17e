from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.models.dropout import ChannelDropout, Dropout, RowShare, UnitDropout
from training.models.row_share import share_rows


def ones(kind: type[Dropout], rows: int) -> torch.Tensor:
    return torch.ones((rows, 64, 3, 5) if kind is ChannelDropout else (rows, 64))


@pytest.mark.parametrize("kind", [ChannelDropout, UnitDropout])
def test_the_share_is_dropped_and_the_mean_is_kept(kind: type[Dropout]) -> None:
    torch.manual_seed(0)
    found = kind(0.25)(ones(kind, 64))
    assert set(found.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    # 4,096 draws: deviation of the share 0.0068.
    assert abs(float((found == 0).float().mean()) - 0.25) < 0.035


def test_channels_are_dropped_whole_and_units_one_by_one() -> None:
    torch.manual_seed(0)
    channels = ChannelDropout(0.5)(ones(ChannelDropout, 8)).flatten(2)
    assert (channels == channels[..., :1]).all()
    assert (channels[..., 0].std(dim=1) > 0).all()
    steps = UnitDropout(0.5)(torch.ones(4, 9, 32))
    assert (steps.std(dim=(1,)) > 0).any()
    assert (steps.std(dim=(2,)) > 0).all()


@pytest.mark.parametrize("kind", [ChannelDropout, UnitDropout])
def test_nothing_is_dropped_or_drawn_in_evaluation_and_at_a_share_of_0(kind: type[Dropout]) -> None:
    x = torch.randn(ones(kind, 4).shape)
    state = torch.get_rng_state()
    assert kind(0.5).eval()(x) is x
    assert kind(0.0).train()(x) is x
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", [ChannelDropout, UnitDropout])
@given(total=st.integers(1, 12), world=st.integers(1, 5))
def test_ranks_together_drop_what_one_process_drops(kind: type[Dropout], total: int, world: int) -> None:
    x = torch.randn(ones(kind, total).shape)
    torch.manual_seed(7)
    whole = kind(0.4)(x)
    for rank in range(world):
        dropout = kind(0.4)
        share_rows(dropout, total, rank, world)
        torch.manual_seed(7)
        assert torch.equal(dropout(x[rank::world]), whole[rank::world])


def test_every_dropout_of_a_model_is_told() -> None:
    model = torch.nn.Sequential(UnitDropout(0.1), torch.nn.Sequential(ChannelDropout(0.2)), torch.nn.ReLU())
    share_rows(model, 9, 1, 2)
    assert [m.rows for m in model.modules() if isinstance(m, Dropout)] == [RowShare(9, 1, 2)] * 2


def test_rows_that_are_not_the_ranks_are_refused() -> None:
    dropout = UnitDropout(0.5)
    share_rows(dropout, 9, 1, 2)
    with pytest.raises(ValueError, match="the input has 5 rows"):
        dropout(torch.ones(5, 3))
