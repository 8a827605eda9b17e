from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.loop.average import AveragedWeights


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 4, 2)
    )
    nn.utils.convert_conv2d_weight_memory_format(model, torch.channels_last)
    return model


def steps(model: nn.Module, count: int) -> Iterator[int]:
    """Train ``model`` step by step."""
    generator = torch.Generator().manual_seed(1)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(count):
        optimiser.zero_grad()
        model(torch.randn(8, 1, 6, 6, generator=generator)).square().sum().backward()
        optimiser.step()
        yield step


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def averaged(model: nn.Module, average: AveragedWeights) -> dict[str, Tensor]:
    with average.swap_in(model):
        return weights(model)


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_average_is_the_weighted_sum_of_all_weights_so_far() -> None:
    model, decay = network(), 0.6
    average = AveragedWeights(model, decay)
    seen = [weights(model)]
    for _ in steps(model, 40):
        average.update(model)
        seen.append(weights(model))
    decays = [min(decay, (1 + t) / (10 + t)) for t in range(40)]
    assert decays[0] == 0.1
    assert decays[-1] == decay
    got = averaged(model, average)
    for name in ("0.weight", "4.bias", "1.running_mean", "1.running_var"):
        expected, share = torch.zeros_like(seen[0][name]).double(), 1.0
        for d, state in zip(reversed(decays), reversed(seen[1:]), strict=True):
            expected += share * (1 - d) * state[name].double()
            share *= d
        expected += share * seen[0][name].double()
        torch.testing.assert_close(got[name], expected.float(), rtol=1e-5, atol=1e-6)
    assert got["1.num_batches_tracked"] == 40


def test_after_its_warm_up_it_steps_as_torchs_averaged_model() -> None:
    model = network()
    ours = AveragedWeights(model, 0.3)
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.3), use_buffers=True)
    for step in steps(model, 20):
        ours.update(model)
        if step < 5:
            theirs.module.load_state_dict(averaged(model, ours))
            theirs.n_averaged.fill_(1)
        else:
            theirs.update_parameters(model)
    got, expected = averaged(model, ours), theirs.module.state_dict()
    for name in expected:
        if expected[name].is_floating_point():
            torch.testing.assert_close(got[name], expected[name])


def test_swapped_in_the_model_computes_with_the_average_and_then_is_itself_again_to_the_bit() -> None:
    model, x = network().eval(), torch.randn(4, 1, 6, 6)
    average = AveragedWeights(model, 0.9)
    for _ in steps(model, 5):
        average.update(model)
    model.eval()
    before, kept = weights(model), averaged(model, average)
    places = {name: tensor.data_ptr() for name, tensor in model.state_dict().items()}
    other = network(1).eval()
    other.load_state_dict(kept)
    with average.swap_in(model), torch.inference_mode():
        assert torch.equal(model(x), other(x))
        assert {name: tensor.data_ptr() for name, tensor in model.state_dict().items()} == places
    assert same(weights(model), before)
    assert not same(before, kept)
    assert same(averaged(model, average), kept)


def test_an_error_in_validation_leaves_the_models_own_weights() -> None:
    model = network()
    average = AveragedWeights(model, 0.9)
    for _ in steps(model, 3):
        average.update(model)
    before = weights(model)
    with pytest.raises(RuntimeError, match="stop"), average.swap_in(model):
        raise RuntimeError("stop")
    assert same(weights(model), before)


def test_weights_that_two_layers_share_are_averaged_once_and_given_back() -> None:
    one = nn.Linear(3, 3)
    model = nn.Sequential(one, nn.ReLU(), one)
    average = AveragedWeights(model, 0.5)
    first = one.weight.detach().clone()
    with torch.no_grad():
        one.weight.add_(1)
    before = weights(model)
    average.update(model)
    torch.testing.assert_close(averaged(model, average)["0.weight"], first + 0.9)
    assert same(weights(model), before)


def test_an_average_that_is_loaded_goes_on_as_if_it_had_never_stopped() -> None:
    model = network()
    whole, late = AveragedWeights(model, 0.8), AveragedWeights(network(1), 0.8)
    for step in steps(model, 30):
        whole.update(model)
        if step >= 12:
            late.update(model)
        if step == 11:
            late.load({name: tensor.clone().contiguous() for name, tensor in whole.state().items()})
    assert same(whole.state(), late.state())
    assert same(averaged(model, whole), averaged(model, late))


def test_the_state_of_another_model_is_refused() -> None:
    average = AveragedWeights(network(), 0.9)
    state = average.state()
    for strange in (
        {},
        {name: tensor for name, tensor in state.items() if name != "updates"},
        {**state, "weights.5.bias": torch.zeros(1)},
        {**state, "weights.4.bias": torch.zeros(1)},
    ):
        with pytest.raises((KeyError, RuntimeError)):
            average.load(strange)
