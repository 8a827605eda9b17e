"""Networks whose batch norms and relative positions are not at their initial state."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from schemas.named_models import MODELS
from training.models import build_model
from training.models.attention import RelativePositions

MakeNetwork = Callable[..., nn.Module]


@pytest.fixture(scope="session")
def make_network() -> MakeNetwork:
    """Function from a model's name and replaced fields to a network in evaluation, the same at each call."""

    def make(name: str, coefficients: int = 40, frames: int = 64, classes: int = 6, **fields) -> nn.Module:
        torch.manual_seed(0)
        network = build_model(MODELS[name].model_copy(update=fields), coefficients, frames, classes)
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.running_mean.normal_()
                    module.running_var.uniform_(0.5, 2)
                    module.weight.normal_()
                    module.bias.normal_()
                if isinstance(module, RelativePositions):
                    module.biases.normal_()
        return network.eval()

    return make
