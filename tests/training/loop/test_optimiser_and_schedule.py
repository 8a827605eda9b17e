from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from schemas.training import TrainSpec
from training.loop.optimise import Schedule, cosine_rate, optimiser_of, schedule_of


def network() -> nn.Module:
    """Without a bias before batch norm, whose gradient is rounding alone: Adam makes full steps of it."""
    torch.manual_seed(0)
    convolution = nn.Conv2d(1, 3, 3, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 4, 2))


def schedule(**values: Any) -> tuple[Schedule, Optimizer]:
    spec = TrainSpec(**values)
    optimiser = optimiser_of(nn.Linear(2, 2), spec)
    return schedule_of(optimiser, spec), optimiser


def rate(schedule: Schedule, optimiser: Optimizer, epochs: float) -> float:
    schedule.step_batch(epochs)
    (found,) = {group["lr"] for group in optimiser.param_groups}
    return float(found)


def trained(model: nn.Module, optimiser: Optimizer) -> list[torch.Tensor]:
    """Parameters after three steps."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        optimiser.zero_grad()
        model(torch.randn(4, 1, 6, 6, generator=generator)).square().sum().backward()
        optimiser.step()
    return [parameter.detach() for parameter in model.parameters()]


def test_adam_is_torchs_with_the_penalty_on_all_parameters() -> None:
    ours, theirs = network(), network()
    spec = TrainSpec(lr=0.01, weight_decay=0.1)
    expected = trained(theirs, Adam(theirs.parameters(), lr=0.01, weight_decay=0.1, fused=False))
    for got, want in zip(trained(ours, optimiser_of(ours, spec)), expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-6)


def test_adamw_decays_weights_and_neither_biases_nor_batch_norm() -> None:
    ours, theirs = network(), network()
    spec = TrainSpec(optimiser="adamw", lr=0.01, weight_decay=0.5)
    decayed = {id(layer.weight) for layer in theirs if isinstance(layer, nn.Conv2d | nn.Linear)}
    groups = [{"params": [p], "weight_decay": 0.5 if id(p) in decayed else 0.0} for p in theirs.parameters()]
    expected = trained(theirs, AdamW(groups, lr=0.01, fused=False))
    for got, want in zip(trained(ours, optimiser_of(ours, spec)), expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-6)


def test_frozen_parameters_are_left_out() -> None:
    model = network()
    model[0].requires_grad_(False)
    for kind in ("adam", "adamw"):
        optimiser = optimiser_of(model, TrainSpec(optimiser=kind))  # type: ignore[arg-type]
        held = [p for group in optimiser.param_groups for p in group["params"]]
        assert {id(p) for p in held} == {id(p) for p in model.parameters() if p.requires_grad}


@given(
    losses=st.lists(st.sampled_from([0.5, 0.9, 1.0, 1.1, 2.0, 1e-9, math.inf]), max_size=40),
    patience=st.integers(0, 4), factor=st.sampled_from([0.1, 0.5, 0.7]),
)  # fmt: skip
def test_plateau_is_torchs_to_the_bit(losses: list[float], patience: int, factor: float) -> None:
    ours, optimiser = schedule(lr=0.003, lr_patience=patience, lr_factor=factor)
    other = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.003)
    theirs = ReduceLROnPlateau(other, factor=factor, patience=patience, threshold=0, eps=0)
    for epoch, loss in enumerate(losses):
        assert rate(ours, optimiser, epoch + 0.5) == other.param_groups[0]["lr"]
        ours.epoch_done(loss)
        theirs.step(loss)
    assert rate(ours, optimiser, len(losses)) == other.param_groups[0]["lr"]


def test_the_epoch_after_patience_is_the_last_at_the_old_rate() -> None:
    ours, optimiser = schedule(lr=1.0, lr_patience=2)
    rates = []
    for epoch, loss in enumerate([3.0, 3.0, 3.1, 3.2, 2.9, 2.9]):
        rates.append(rate(ours, optimiser, epoch))
        ours.epoch_done(loss)
    assert rates == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]


def test_cosine_without_warm_up_is_torchs() -> None:
    spec, steps = TrainSpec(lr=0.01, schedule="cosine", epochs=8), 5
    optimiser = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.01)
    theirs = CosineAnnealingLR(optimiser, T_max=8 * steps)
    for step in range(8 * steps):
        expected = optimiser.param_groups[0]["lr"]
        np.testing.assert_allclose(cosine_rate(spec, step / steps), expected, rtol=1e-9)
        optimiser.step()
        theirs.step()


def test_cosine_rises_from_0_over_the_warm_up_and_falls_to_0_at_the_end() -> None:
    spec = TrainSpec(lr=0.4, schedule="cosine", epochs=10, warmup=2)
    epochs = np.arange(0, 10.5, 0.25)
    got = [cosine_rate(spec, float(epoch)) for epoch in epochs]
    fall = 0.2 * (1 + np.cos(np.pi * np.clip((epochs - 2) / 8, 0, 1)))
    np.testing.assert_allclose(got, np.where(epochs < 2, 0.2 * epochs, fall), atol=1e-12)
    assert got[0] == got[-1] == 0
    assert max(got) == got[8] == 0.4


def test_constant_stays() -> None:
    ours, optimiser = schedule(lr=0.02, schedule="constant", lr_patience=0)
    for epoch in range(5):
        assert rate(ours, optimiser, epoch + 0.3) == 0.02
        ours.epoch_done(9.0)


@pytest.mark.parametrize("kind", ["plateau", "cosine", "constant"])
def test_a_schedule_that_is_loaded_in_mid_epoch_goes_on_at_the_very_rates(kind: str) -> None:
    values = {"schedule": kind, "epochs": 12, "lr": 0.0123, "lr_patience": 0, "lr_factor": 0.7}
    losses = np.random.default_rng(1).uniform(0.1, 3, 12).tolist()
    whole, optimiser = schedule(**values)
    late, other = schedule(**values)
    for epoch, loss in enumerate(losses):
        for step in range(7):
            expected = rate(whole, optimiser, epoch + step / 7)
            if (epoch, step) == (6, 3):
                late.load(json.loads(json.dumps(whole.to_json(), allow_nan=False)))
            if (epoch, step) >= (6, 3):
                assert rate(late, other, epoch + step / 7) == expected
        whole.epoch_done(loss)
        late.epoch_done(loss)
    assert kind == "constant" or expected < 0.01


def test_a_state_that_is_none_is_refused() -> None:
    for state in ({}, {"validation_losses": ["low"]}):
        with pytest.raises((KeyError, ValueError)):
            schedule()[0].load(state)


def test_rates_held_in_tensors_are_filled_where_they_are() -> None:
    held = torch.tensor(1.0)
    optimiser = Adam(nn.Linear(2, 2).parameters(), lr=held, foreach=False, capturable=True)
    schedule_of(optimiser, TrainSpec(lr=0.25)).step_batch(0.0)
    assert optimiser.param_groups[0]["lr"] is held
    assert held == 0.25
