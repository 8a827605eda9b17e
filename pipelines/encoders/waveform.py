"""Encoders of waveforms: wav2vec 2.0, XLS-R, HuBERT, WavLM and data2vec."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from pipelines.encoders.batches import is_within, send
from pipelines.encoders.encoder import Encoder
from pipelines.encoders.tensors import assign
from schemas.encoders import WaveformArchitecture

SMALLEST_VARIANCE = 1e-7
"""Is added to the variance of a waveform before it is divided by, as ``transformers`` does."""


class WaveformEncoder(Encoder):
    """Hidden states of an encoder whose first layers are convolutions of the waveform.

    Those that normalise their first convolution over time (``conv_norm`` ``group``) cannot mask clips of
    different lengths.
    """

    def __init__(
        self,
        architecture: WaveformArchitecture,
        states: tuple[int, ...],
        tensors: Mapping[str, torch.Tensor],
        device: torch.device,
    ) -> None:
        super().__init__(architecture, states)
        self._waveform = architecture
        self.masks = architecture.conv_norm == "layer" or architecture.family == "data2vec-audio"
        network = _network(architecture, max(1, states[-1]))
        if architecture.pre_norm and states[-1] < architecture.blocks:
            network.encoder.layer_norm = nn.Identity()
        assign(network, tensors, device)
        positions = network.encoder.pos_conv_embed
        self._later_positions: list[nn.Module] = (
            list(positions.layers)[1:] if architecture.family == "data2vec-audio" else []
        )
        self.network = network

    @torch.inference_mode()
    def hidden_states(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Hidden states (batch, state, frame, width) float32; clips below one frame are padded with zeros."""
        padded = F.pad(waveforms, (0, max(0, self._waveform.shortest - waveforms.shape[1])))
        if self._waveform.normalise:
            variance, mean = torch.var_mean(padded, dim=1, keepdim=True, correction=0)
            padded = (padded - mean) / torch.sqrt(variance + SMALLEST_VARIANCE)
        return self._select(self.network(padded, output_hidden_states=True))

    @torch.inference_mode()
    def masked_states(self, waveforms: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """As :meth:`hidden_states`, of clips of different lengths: one pass if :attr:`masks`."""
        if not self.masks:
            return super().masked_states(waveforms, lengths)
        heard = [max(samples, self._waveform.shortest) for samples in lengths]
        padded = F.pad(waveforms, (0, max(heard) - waveforms.shape[1]))
        ends = send(heard, waveforms.device)
        real = is_within(ends, padded.shape[1])
        if self._waveform.normalise:
            centred = (padded - padded.sum(dim=1, keepdim=True) / ends[:, None]) * real
            variance = centred.square().sum(dim=1, keepdim=True) / ends[:, None]
            padded = centred / torch.sqrt(variance + SMALLEST_VARIANCE)
        frames = send([self._waveform.frames(samples) for samples in lengths], waveforms.device)
        with self._mask_positions(frames), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*mismatched key_padding_mask")  # of transformers' WavLM
            return self._select(self.network(padded, attention_mask=real.long(), output_hidden_states=True))

    @contextmanager
    def _mask_positions(self, frames: torch.Tensor) -> Iterator[None]:
        """Let each convolution of several for the position see zeros behind the end of a clip.

        ``transformers`` does that for the first alone (data2vec has five).
        """

        def silence(_: nn.Module, given: tuple[torch.Tensor]) -> torch.Tensor:
            return given[0] * is_within(frames, given[0].shape[2])[:, None]

        hooks = [layer.register_forward_pre_hook(silence) for layer in self._later_positions]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _select(self, result: Any) -> torch.Tensor:
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
