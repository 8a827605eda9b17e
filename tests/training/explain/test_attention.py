"""Weights over time of attention pooling, and which clips show them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from featurestore.store import FeatureStore
from schemas.recipe import load_recipe
from training.explain.attention import choose_clips, frames_per_step, weigh_steps
from training.models.cnn_bilstm import CnnBiLstm
from training.models.frame_pooling import FrameStatistics
from training.models.registry import build_model
from training.models.time_pooling import AttentionPooling
from training.report.result import RunResult


def test_weights_of_a_network_are_those_of_its_pooling_without_padded_steps() -> None:
    torch.manual_seed(0)
    network = CnnBiLstm(8, 20, 3, channels=(4,), pools=((2, 2),), hidden=4, pooling="attention").eval()
    network.requires_grad_(False)
    x, valid = torch.randn(3, 1, 8, 20), torch.tensor([20, 9, 2])
    states: list[torch.Tensor] = []
    network.pooling.register_forward_hook(lambda module, inputs, output: states.extend(inputs))
    found = weigh_steps(network, x, valid)
    sequence, steps = states
    assert [len(weights) for weights in found] == steps.tolist() == [10, 4, 1]
    assert isinstance(network.pooling, AttentionPooling)
    for weights, own, count in zip(found, sequence, steps.tolist(), strict=True):
        assert np.isclose(weights.sum(), 1)
        scores = network.pooling.score(own[:count])[:, 0].detach().exp()
        np.testing.assert_allclose(weights, (scores / scores.sum()).numpy(), rtol=1e-5)


def test_several_sets_of_weights_are_averaged() -> None:
    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pooling = FrameStatistics("attention+std", 6, heads=3)

        def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
            return self.pooling(x[:, 0].transpose(1, 2), valid)

    torch.manual_seed(0)
    network, x, valid = Frames(), torch.randn(2, 1, 6, 5), torch.tensor([5, 3])
    expected = network.pooling.weights(x[:, 0].transpose(1, 2), valid).mean(dim=2).detach().numpy()
    for weights, row, count in zip(weigh_steps(network, x, valid), expected, valid.tolist(), strict=True):
        np.testing.assert_allclose(weights, row[:count], rtol=1e-6)
        assert np.isclose(weights.sum(), 1)


@pytest.mark.parametrize("name", ["ravdess-attention", "ravdess-transformer", "ravdess-conformer"])
def test_a_step_is_as_many_frames_as_the_network_pools(name: str) -> None:
    spec = load_recipe(name).model
    network = build_model(spec, 64, 96, classes=3).eval()
    (weights,) = weigh_steps(network, torch.randn(1, 1, 64, 96), torch.tensor([96]))
    assert frames_per_step(spec) == 96 // len(weights) > 1


def test_clips_of_different_emotions_come_first() -> None:
    true = np.array([0, 0, 0, 1, 1, 0, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.95, 0.05], [0.2, 0.8],
                              [0.6, 0.4]])  # fmt: skip
    assert choose_clips(true, probabilities).tolist() == [0, 3, 1, 4, 5, 6]


def test_a_run_with_attention_shows_right_and_wrong_clips(attentive: RunResult, tone_store: Path) -> None:
    assert attentive.explanation is not None
    clips = attentive.explanation.attention
    assert clips
    known = attentive.predictions
    assert known is not None
    said = dict(zip(known.clip_id, known.predicted.tolist(), strict=True))
    names = attentive.record.classes
    store = FeatureStore.open(tone_store)
    for clip in clips:
        assert names[said[clip.clip_id]] == clip.predicted
        assert np.isclose(clip.weights.sum(), 1)
        row = int(np.flatnonzero(store.manifest["clip_id"] == clip.clip_id)[0])
        assert clip.values.shape[1] == store.valid_frames([row])[0, 0]
        assert len(clip.weights) * clip.step_s <= clip.values.shape[1] * clip.hop_s + 1e-9
    page = (attentive.folder.path / "report.html").read_text()
    assert "Attention over time" in page
    kept = json.loads((attentive.folder.path / "explanation.json").read_text())["attention"]
    assert [each["clip_id"] for each in kept] == [clip.clip_id for clip in clips]
    assert (attentive.folder.path / "attention.png").is_file()
