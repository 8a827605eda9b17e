"""Encoders of waveforms: wav2vec 2.0, XLS-R, HuBERT, WavLM and data2vec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from pipelines.encoders.encoder import Encoder
from pipelines.encoders.tensors import assign
from schemas.encoders import WaveformArchitecture

SMALLEST_VARIANCE = 1e-7
"""Is added to the variance of a waveform before it is divided by, as ``transformers`` does."""


class WaveformEncoder(Encoder):
    """Hidden states of an encoder whose first layers are convolutions of the waveform, without masks."""

    def __init__(
        self,
        architecture: WaveformArchitecture,
        states: tuple[int, ...],
        tensors: Mapping[str, torch.Tensor],
        device: torch.device,
    ) -> None:
        super().__init__(architecture, states)
        self._shortest, self._normalise = architecture.shortest, architecture.normalise
        network = _network(architecture, max(1, states[-1]))
        if architecture.pre_norm and states[-1] < architecture.blocks:
            network.encoder.layer_norm = nn.Identity()
        assign(network, tensors, device)
        self.network = network

    @torch.inference_mode()
    def hidden_states(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Hidden states (batch, state, frame, width) float32; clips below one frame are padded with zeros."""
        padded = F.pad(waveforms, (0, max(0, self._shortest - waveforms.shape[1])))
        if self._normalise:
            variance, mean = torch.var_mean(padded, dim=1, keepdim=True, correction=0)
            padded = (padded - mean) / torch.sqrt(variance + SMALLEST_VARIANCE)
        result = self.network(padded, output_hidden_states=True)
        last = len(result.hidden_states) - 1  # what follows the last block is only in last_hidden_state
        hidden = [*result.hidden_states[:last], result.last_hidden_state]
        return torch.stack([hidden[state] for state in self.states], dim=1)


def _network(architecture: WaveformArchitecture, blocks: int) -> Any:
    import transformers

    settings = {
        "hidden_size": architecture.width,
        "num_hidden_layers": blocks,
        "num_attention_heads": architecture.heads,
        "intermediate_size": architecture.inner_width,
        "hidden_act": architecture.activation,
        "layer_norm_eps": architecture.norm_epsilon,
        "conv_dim": architecture.conv_width,
        "conv_stride": architecture.conv_stride,
        "conv_kernel": architecture.conv_kernel,
        "conv_bias": architecture.conv_bias,
        "feat_extract_norm": architecture.conv_norm,
        "feat_extract_activation": architecture.conv_activation,
        "num_conv_pos_embedding_groups": architecture.position_groups,
        "apply_spec_augment": False,
        "mask_time_prob": 0.0,
        "mask_feature_prob": 0.0,
    }
    kernel = {"num_conv_pos_embeddings": architecture.position_kernel}
    pre_norm = {"do_stable_layer_norm": architecture.pre_norm}
    with torch.device("meta"):
        match architecture.family:
            case "wav2vec2":
                config = transformers.Wav2Vec2Config(**settings, **kernel, **pre_norm)
                network: Any = transformers.Wav2Vec2Model(config)
            case "hubert":
                norm = {"feat_proj_layer_norm": architecture.project_norm}
                network = transformers.HubertModel(
                    transformers.HubertConfig(**settings, **kernel, **pre_norm, **norm)
                )
            case "wavlm":
                relative = {
                    "num_buckets": architecture.position_buckets,
                    "max_bucket_distance": architecture.position_distance,
                }
                network = transformers.WavLMModel(
                    transformers.WavLMConfig(**settings, **kernel, **pre_norm, **relative)
                )
            case "data2vec-audio":
                network = transformers.Data2VecAudioModel(
                    transformers.Data2VecAudioConfig(
                        **settings,
                        conv_pos_kernel_size=architecture.position_kernel,
                        num_conv_pos_embeddings=architecture.position_layers,
                    )
                )
    return network
