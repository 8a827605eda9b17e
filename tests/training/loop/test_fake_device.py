"""The forward pass of every network under torch's FakeTensorMode: devices and shapes by torch's own rules.

Independent of the pretended device of tests/pretended_cuda. An operator that mixes devices raises here, and
so does one whose result's shape follows from numbers. A backward pass would need a real device.
"""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.training.loop.test_pretended_gpu_models import (
    CLASSES,
    CLIPS,
    COEFFICIENTS,
    FRAMES,
    NETWORKS,
    new_network,
)

GPU = torch.device("cuda", 0)


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_forward_pass_of_every_network_stays_on_the_device(
    name: str, training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)  # it asks the driver
    frames = 1 if name == "layer-mlp" else FRAMES
    with torch.backends.cudnn.flags(enabled=False), FakeTensorMode():  # so does cuDNN
        with GPU:
            network = new_network(name).train(training)
        features = torch.empty(CLIPS, 1, COEFFICIENTS, frames, device=GPU)
        scores = network(features, torch.empty(CLIPS, dtype=torch.int64, device=GPU))
        assert scores.device == GPU
        assert scores.shape == (CLIPS, CLASSES)
