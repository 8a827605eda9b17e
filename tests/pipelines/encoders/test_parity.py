"""Hidden states equal those of ``transformers``' own models."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pipelines.encoders.ctranslate2 import encoder_tensors, read_variables
from pipelines.encoders.log_mel import LogMel
from pipelines.encoders.weights import EncoderWeights, find_weights, load_encoder
from schemas.encoders import Activation, WhisperArchitecture
from tests.pipelines.encoders.conftest import Saved
from tests.pipelines.encoders.saved import KINDS, WHISPER, base_of, make_whisper_encoder

CPU = torch.device("cpu")
TOLERANCE = 1e-4
"""Of the largest magnitude of a state."""

WAVEFORM_KINDS = [name for name, kind in KINDS.items() if not kind.is_whisper]
WHISPER_KINDS = [name for name, kind in KINDS.items() if kind.is_whisper]
STATES = [(0, 1, 2, 3), (1, 2), (0,), (3,)]


def _noise(samples: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(seed))


def _require_equal(found: torch.Tensor, expected: list[torch.Tensor], states: tuple[int, ...]) -> None:
    assert found.shape[1] == len(states)
    for index, state in enumerate(states):
        largest = expected[state].abs().max()
        assert (found[:, index] - expected[state]).abs().max() <= TOLERANCE * largest, f"state {state}"


@torch.no_grad()
def _reference(network: nn.Module, values: torch.Tensor) -> list[torch.Tensor]:
    """All states; the last is the output, which follows the final layer norm of the large models."""
    result = network(values, output_hidden_states=True)
    return [*result.hidden_states[:-1], result.last_hidden_state]


@pytest.mark.parametrize("states", STATES, ids=str)
@pytest.mark.parametrize("name", WAVEFORM_KINDS)
def test_waveform_encoders(saved: Saved, name: str, states: tuple[int, ...]) -> None:
    network, folder = saved(name)
    waveform = _noise(8_123)
    extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
    values = extractor(waveform[0].numpy(), sampling_rate=16_000, return_tensors="pt").input_values
    encoder = find_weights(folder).load(states, CPU)
    found = encoder.hidden_states(waveform)
    assert found.shape[2:] == (encoder.architecture.frames(8_123), 32)
    _require_equal(found, _reference(base_of(network), values), states)


@pytest.mark.parametrize("name", WAVEFORM_KINDS)
def test_shorter_than_one_frame(saved: Saved, name: str) -> None:
    network, folder = saved(name)
    waveform = _noise(150)
    padded = torch.cat([waveform, torch.zeros(1, 250)], dim=1)
    values = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)(
        padded[0].numpy(), sampling_rate=16_000, return_tensors="pt"
    ).input_values
    found = find_weights(folder).load((1, 2), CPU).hidden_states(waveform)
    assert found.shape[2] == 1
    _require_equal(found, _reference(base_of(network), values), (1, 2))


def _on_window(network: transformers.PreTrainedModel, frames: int) -> nn.Module:
    """The reference for a window of ``frames``: the first positions are those of the whole window."""
    settings = {**network.config.to_dict(), "max_source_positions": frames}
    cut = make_whisper_encoder(transformers.WhisperConfig.from_dict(settings))
    values = network.state_dict()
    values["embed_positions.weight"] = values["embed_positions.weight"][:frames]
    cut.load_state_dict(values)
    return cut


@pytest.mark.parametrize("seconds", [4.0, 1.03], ids=["whole window", "clip"])
@pytest.mark.parametrize("states", STATES, ids=str)
@pytest.mark.parametrize("name", WHISPER_KINDS)
def test_whisper(saved: Saved, name: str, states: tuple[int, ...], seconds: float) -> None:
    network, folder = saved(name)
    waveform = _noise(round(seconds * 16_000))
    encoder = find_weights(folder).load(states, CPU)
    frames = encoder.architecture.frames(waveform.shape[1])
    bands = base_of(network).config.to_dict()["num_mel_bins"]
    extractor = transformers.WhisperFeatureExtractor(feature_size=bands)
    mel = extractor(
        waveform[0].numpy(), sampling_rate=16_000, return_tensors="pt", max_length=320 * frames
    ).input_features
    found = encoder.hidden_states(waveform)
    assert found.shape[2:] == (frames, 32)
    _require_equal(found, _reference(_on_window(base_of(network), frames), mel), states)


@pytest.mark.parametrize("activation", [name for name in get_args(Activation) if name != "gelu"])
def test_whisper_with_another_activation(activation: Activation) -> None:
    config = transformers.WhisperConfig(**WHISPER, activation_function=activation)
    network = make_whisper_encoder(config)
    architecture = WhisperArchitecture(
        width=32, blocks=3, heads=4, inner_width=64, activation=activation, positions=200
    )
    encoder = load_encoder(architecture, (1, 3), network.state_dict(), CPU)
    waveform = _noise(200 * 320)
    expected = _reference(network, LogMel(80, CPU)(waveform))
    _require_equal(encoder.hidden_states(waveform), expected, (1, 3))


def test_whisper_tiny(whisper_tiny: EncoderWeights) -> None:
    """The published weights, on Whisper's own window of 30 s and on a clip."""
    (path,) = whisper_tiny.files
    tensors = encoder_tensors(read_variables(path), 4)
    config = transformers.WhisperConfig(
        d_model=384, encoder_layers=4, encoder_attention_heads=6, encoder_ffn_dim=1536
    )
    network = make_whisper_encoder(config)
    missing, unexpected = network.load_state_dict(tensors, strict=False)
    assert missing == []
    assert {name.rsplit(".", 2)[1] for name in unexpected} == {"k_proj"}  # a bias that softmax cancels
    states = (0, 1, 2, 3, 4)
    encoder = whisper_tiny.load(states, CPU)
    for seconds in (30.0, 2.5):
        waveform = _noise(round(seconds * 16_000))
        mel = transformers.WhisperFeatureExtractor()(
            waveform[0].numpy(), sampling_rate=16_000, return_tensors="pt", max_length=waveform.shape[1]
        ).input_features
        frames = waveform.shape[1] // 320
        expected = _reference(_on_window(network, frames), mel)
        _require_equal(encoder.hidden_states(waveform), expected, states)


@given(
    steps=st.integers(2, 300),
    level=st.sampled_from([0.0, 1e-6, 0.1, 1.0]),
    n_mels=st.sampled_from([80, 128]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40)
def test_log_mel_is_that_of_whisper(steps: int, level: float, n_mels: int, seed: int) -> None:
    samples = 160 * steps
    waveform = level * 10 * _noise(samples, seed)
    expected = transformers.WhisperFeatureExtractor(feature_size=n_mels)(
        waveform[0].numpy(), sampling_rate=16_000, return_tensors="np", max_length=samples
    ).input_features
    found = LogMel(n_mels, CPU)(waveform).numpy()
    assert found.shape == expected.shape == (1, n_mels, steps)
    assert np.abs(found - expected).max() <= 1e-5


@given(
    name=st.sampled_from(list(KINDS)),
    samples=st.integers(400, 6_000),
    clips=st.integers(2, 4),
    data=st.data(),
)
@settings(max_examples=30)
def test_neighbours_do_not_matter(
    saved: Saved, name: str, samples: int, clips: int, data: st.DataObject
) -> None:
    """A clip's numbers are the same alone, in any batch and in any order."""
    _, folder = saved(name)
    encoder = find_weights(folder).load((1, 3), CPU)
    batch = torch.cat([_noise(samples, seed) for seed in range(clips)])
    order = data.draw(st.permutations(range(clips)))
    together = encoder.hidden_states(batch[order])
    for row, clip in enumerate(order):
        alone = encoder.hidden_states(batch[clip : clip + 1])[0]
        assert (together[row] - alone).abs().max() <= TOLERANCE * alone.abs().max()
