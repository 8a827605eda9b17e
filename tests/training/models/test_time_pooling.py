from __future__ import annotations

import numpy as np
import torch

from training.models.time_pooling import AttentionPooling, LastState, MeanPooling, pooling_of

SEQUENCE = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 7, 6)).astype(np.float32))
VALID = torch.tensor([7, 3, 1])


def test_the_mean_is_over_valid_steps() -> None:
    found = MeanPooling()(SEQUENCE, VALID)
    for i, valid in enumerate(VALID.tolist()):
        torch.testing.assert_close(found[i], SEQUENCE[i, :valid].mean(dim=0))


def test_attention_is_a_softmax_over_the_valid_steps_scores() -> None:
    torch.manual_seed(0)
    pooling = AttentionPooling(6)
    found, weights = pooling(SEQUENCE, VALID), pooling.weights(SEQUENCE, VALID)
    weight, bias = (parameter.detach().double().numpy() for parameter in pooling.score.parameters())
    for i, valid in enumerate(VALID.tolist()):
        states = SEQUENCE[i, :valid].double().numpy()
        scores = np.exp(states @ weight[0] + bias)
        np.testing.assert_allclose(weights[i, :valid].detach().numpy(), scores / scores.sum(), rtol=1e-5)
        np.testing.assert_allclose(found[i].detach().numpy(), scores @ states / scores.sum(), rtol=1e-4)
        assert not weights[i, valid:].any()


def test_the_last_state_is_the_final_one_of_each_direction() -> None:
    found = LastState()(SEQUENCE, VALID)
    for i, valid in enumerate(VALID.tolist()):
        assert found[i].tolist() == [*SEQUENCE[i, valid - 1, :3].tolist(), *SEQUENCE[i, 0, 3:].tolist()]


def test_poolings_are_found_by_name() -> None:
    kinds = [type(pooling_of(name, 6)) for name in ("mean", "attention", "last")]
    assert kinds == [MeanPooling, AttentionPooling, LastState]
