"""The perceptron on weighted layers, against a loop over features, layers and statistics in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from schemas.architecture import LayerMlpSpec
from schemas.errors import SpecError
from schemas.named_models import MODELS
from training.models import StateLayout, build_model
from training.models.layer_weights import layer_shares

CLASSES = 5
STATES = (
    StateLayout("base", layers=(1, 2, 4), statistics=2, width=6),
    StateLayout("tiny", layers=(0, 3), statistics=1, width=4),
)
ROWS = 3 * 2 * 6 + 2 * 1 * 4
ONE = torch.ones(7, dtype=torch.int64)


def make_network(states: tuple[StateLayout, ...] = STATES, **fields: object) -> nn.Module:
    """A network whose layer weights and batch norms are not at their initial state, in evaluation."""
    torch.manual_seed(0)
    spec = MODELS["layer-mlp"].model_copy(update={"hidden": (9,), **fields})
    network = build_model(spec, sum(layout.rows for layout in states), 1, CLASSES, states)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if "scores" in name or "running_mean" in name:
                value.normal_()
            elif "running_var" in name:
                value.uniform_(0.5, 2)
    return network.eval()


def compute(network: nn.Module, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of vectors (B, rows) as the description says."""
    of = {name: value.double().numpy() for name, value in network.state_dict().items()}
    values, start = [], 0
    for i, layout in enumerate(STATES):
        scores = of[f"layers.{i}.scores"]
        weights = np.exp(scores) / np.exp(scores).sum()
        mean = 0
        for weight in weights:
            stop = start + layout.statistics * layout.width
            mean = mean + weight * x[:, start:stop]
            start = stop
        values.append(mean)
    hidden = np.concatenate(values, axis=1) @ of["dense.0.linear.weight"].T
    hidden = (hidden - of["dense.0.normalise.running_mean"]) / np.sqrt(
        of["dense.0.normalise.running_var"] + 1e-5
    )
    hidden = hidden * of["dense.0.normalise.weight"] + of["dense.0.normalise.bias"]
    return np.maximum(hidden, 0) @ of["output.weight"].T + of["output.bias"]


def test_logits_are_those_of_the_weighted_layers() -> None:
    network, x = make_network(), torch.randn(7, ROWS)
    found = network(x[:, None, :, None], ONE).detach().numpy()
    np.testing.assert_allclose(found, compute(network, x.double().numpy()), rtol=1e-4, atol=1e-5)


def test_layers_weigh_the_same_before_training_and_each_feature_has_its_own_weights() -> None:
    torch.manual_seed(0)
    network = build_model(MODELS["layer-mlp"], ROWS, 1, CLASSES, STATES)
    base, tiny = layer_shares(network)
    assert (base.feature, base.layers, base.weights) == ("base", (1, 2, 4), pytest.approx((1 / 3,) * 3))
    assert (tiny.feature, tiny.layers, tiny.weights) == ("tiny", (0, 3), (0.5, 0.5))
    network(torch.randn(7, 1, ROWS, 1), ONE).square().sum().backward()
    gradients = {name: p.grad for name, p in network.named_parameters() if "scores" in name}
    assert [(name, len(g)) for name, g in gradients.items()] == [
        ("layers.0.scores", 3),
        ("layers.1.scores", 2),
    ]
    assert all(g.any() for g in gradients.values())


def test_weights_of_the_layers_sum_to_one() -> None:
    for shares in layer_shares(make_network()):
        assert sum(shares.weights) == pytest.approx(1)
        assert len(set(shares.weights)) == len(shares.layers)


def test_dropout_has_the_stated_shares() -> None:
    network = make_network(input_dropout=0.25, dropout=0.75, hidden=(400,)).train()
    seen: dict[str, torch.Tensor] = {}
    network.dense[0].register_forward_pre_hook(lambda _, args: seen.update(values=args[0]))
    network.output.register_forward_pre_hook(lambda _, args: seen.update(units=args[0]))
    network(torch.randn(500, 1, ROWS, 1), torch.ones(500, dtype=torch.int64))
    assert 0.22 < (seen["values"] == 0).float().mean() < 0.28
    assert 0.85 < (seen["units"] == 0).float().mean() < 0.9  # 0.75, and half of the rest by ReLU


@pytest.mark.parametrize("states", [(), STATES[:1], (*STATES, STATES[0])])
def test_an_input_that_is_not_all_hidden_states_is_refused(states: tuple[StateLayout, ...]) -> None:
    with pytest.raises(SpecError, match=rf"weighs the layers of encoders, but \d+ of {ROWS} coefficients"):
        build_model(LayerMlpSpec(name="x"), ROWS, 1, CLASSES, states)
