"""The encoder of Whisper, on windows as short as the clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from pipelines.encoders.encoder import Encoder
from pipelines.encoders.log_mel import LogMel
from pipelines.encoders.tensors import assign
from schemas.encoders import WhisperArchitecture


class WhisperEncoder(Encoder):
    """Hidden states of Whisper's encoder (Radford et al. 2022), computed on the clip instead of on 30 s.

    The clip is padded with silence to a multiple of 320 samples, and frame t takes position t. On a window
    of 30 s the states are those of ``transformers``.
    """

    def __init__(
        self,
        architecture: WhisperArchitecture,
        states: tuple[int, ...],
        tensors: Mapping[str, torch.Tensor],
        device: torch.device,
    ) -> None:
        super().__init__(architecture, states)
        self._whisper = architecture
        self._log_mel = LogMel(architecture.n_mels, device)
        network = _network(architecture, min(states[-1], architecture.blocks))
        if states[-1] < architecture.blocks:
            network.layer_norm = nn.Identity()
        assign(network, tensors, device)
        self._network = network

    @torch.inference_mode()
    def hidden_states(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Hidden states (batch, state, frame, width) float32. Raises ValueError for too many frames."""
        samples = waveforms.shape[1]
        frames = self._whisper.frames(samples)
        if frames > self._whisper.positions:
            raise ValueError(f"{frames} frames, but the encoder has {self._whisper.positions} positions")
        padded = F.pad(waveforms, (0, frames * self._whisper.hop - samples))
        network = self._network
        hidden = F.gelu(network.conv1(self._log_mel(padded)))
        hidden = F.gelu(network.conv2(hidden)).transpose(1, 2) + network.embed_positions.weight[:frames]
        out = [hidden] if 0 in self.states else []
        for number, block in enumerate(network.layers, 1):
            hidden = block(hidden, None)
            if number == self._whisper.blocks:
                hidden = network.layer_norm(hidden)
            if number in self.states:
                out.append(hidden)
        return torch.stack(out, dim=1)


def _network(architecture: WhisperArchitecture, blocks: int) -> Any:
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder as Network

    config = WhisperConfig(
        d_model=architecture.width,
        encoder_layers=blocks,
        encoder_attention_heads=architecture.heads,
        encoder_ffn_dim=architecture.inner_width,
        activation_function=architecture.activation,
        num_mel_bins=architecture.n_mels,
        max_source_positions=architecture.positions,
        attn_implementation="sdpa",
    )
    with torch.device("meta"):
        return Network(config)
