"""The encoder of Whisper, on windows as short as the clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F

from pipelines.encoders.batches import is_within, send
from pipelines.encoders.encoder import Encoder
from pipelines.encoders.log_mel import LogMel
from pipelines.encoders.tensors import assign
from pipelines.encoders.whisper_network import WhisperNetwork
from schemas.encoders import WhisperArchitecture


class WhisperEncoder(Encoder):
    """Hidden states of Whisper's encoder (Radford et al. 2022), computed on the clip instead of on 30 s.

    The clip is padded with silence to a multiple of 320 samples, and frame t takes position t. On a window
    of 30 s the states are those of ``transformers``.
    """

    masks = True

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
        with torch.device("meta"):
            network = WhisperNetwork(architecture, states[-1])
        assign(network, tensors, device)
        self.network = network

    @torch.inference_mode()
    def hidden_states(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Hidden states (batch, state, frame, width) float32. Raises ValueError for too many frames."""
        padded = self._pad(waveforms)
        found: torch.Tensor = self.network(self._log_mel(padded), self.states)
        return found

    @torch.inference_mode()
    def masked_states(self, waveforms: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """As :meth:`hidden_states`, of clips of different lengths."""
        padded = self._pad(waveforms)
        frames = send([self._whisper.frames(samples) for samples in lengths], waveforms.device)
        mel = self._log_mel(padded, frames * self._whisper.hop)
        found: torch.Tensor = self.network(
            mel, self.states, is_within(frames, padded.shape[1] // self._whisper.hop)
        )
        return found

    def _pad(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Waveforms of whole frames."""
        samples = waveforms.shape[1]
        frames = self._whisper.frames(samples)
        if frames > self._whisper.positions:
            raise ValueError(f"{frames} frames, but the encoder has {self._whisper.positions} positions")
        return F.pad(waveforms, (0, frames * self._whisper.hop - samples))
