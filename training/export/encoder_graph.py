"""A pretrained encoder as one graph, from the waveform at 16 kHz to a feature as the store holds it.

::

    waveform (B, n) ─▶ log-mel ───▶ Whisper's network ─┬▶ states ▶ mean, deviation ─▶ (B, coefficients, 1)
    waveform (B, n) ─▶ normalise ─▶ another network   ─┘         ▶ average frames  ─▶ (B, coefficients, T)

It computes what :class:`pipelines.encoders.extract.EncoderExtractor` computes, in operations that ONNX has:
the Fourier transform is a convolution.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.encoders.encoder import Encoder
from pipelines.encoders.log_mel import HOP, N_FFT, SMALLEST_POWER, scale
from pipelines.encoders.waveform import SMALLEST_VARIANCE
from pipelines.features.mel_scale import mel_filters
from schemas.encoders import ENCODER_RATE, EncoderSpec, WaveformArchitecture, WhisperArchitecture


class EncoderGraph(nn.Module):
    """From waveforms of equal length at 16 kHz to one encoder feature, before the store rounds it."""

    def __init__(self, feature: EncoderSpec, encoder: Encoder) -> None:
        super().__init__()
        architecture = feature.known_architecture
        self.feature = feature
        self.states: nn.Module = (
            _WhisperStates(architecture, encoder)
            if isinstance(architecture, WhisperArchitecture)
            else _WaveformStates(architecture, encoder)
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, n) float32 → (B, coefficients, 1), or (B, coefficients, frames) for frames."""
        if self.feature.window == "clip":
            hidden = self.states(waveform)
            heard = torch.ones(hidden.shape[2])
        else:
            samples, window = waveform.shape[1], round(self.feature.window * ENCODER_RATE)
            hidden = self.states(F.pad(waveform, (0, window - samples)))
            frames = self.feature.known_architecture.frames(samples)
            heard = (torch.arange(hidden.shape[2]) < frames).float()
        if self.feature.pooling == "frames":
            return _average_frames(hidden, heard, self.feature.stride)
        count = heard.sum()
        weights = heard[:, None]
        mean = (hidden * weights).sum(dim=2) / count
        deviation = ((hidden - mean[:, :, None]).square() * weights).sum(dim=2).div(count).sqrt()
        values = {"mean": mean, "std": deviation}
        return torch.stack([values[name] for name in self.feature.statistics], dim=2).flatten(1)[:, :, None]


def limits(feature: EncoderSpec, longest_s: float) -> tuple[int, int]:
    """Fewest and most samples at 16 kHz that a graph accepts, for clips of up to ``longest_s`` seconds."""
    architecture = feature.known_architecture
    most = math.ceil(longest_s * ENCODER_RATE)
    if feature.window != "clip":
        most = min(most, round(feature.window * ENCODER_RATE))
    if isinstance(architecture, WhisperArchitecture):
        return 1, min(most, architecture.positions * architecture.hop)
    return architecture.shortest, most


class _WhisperStates(nn.Module):
    """Hidden states of Whisper: :class:`pipelines.encoders.whisper.WhisperEncoder`."""

    basis: Tensor
    filters: Tensor

    def __init__(self, architecture: WhisperArchitecture, encoder: Encoder) -> None:
        super().__init__()
        self.chosen, self.hop = encoder.states, architecture.hop
        self.network = encoder.network
        sample = torch.arange(N_FFT, dtype=torch.float64)
        angle = 2 * math.pi * torch.arange(N_FFT // 2 + 1)[:, None] * sample / N_FFT
        window = torch.hann_window(N_FFT, dtype=torch.float64)
        waves = torch.cat([angle.cos() * window, angle.sin() * window])[:, None]
        self.register_buffer("basis", waves.float())
        self.register_buffer(
            "filters", torch.from_numpy(mel_filters(ENCODER_RATE, N_FFT, architecture.n_mels)).float()
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, n) → (B, state, frame, width)."""
        samples = waveform.shape[1]
        padded = F.pad(waveform, (0, (samples + self.hop - 1) // self.hop * self.hop - samples))
        half = N_FFT // 2  # the ends are mirrored, so that the first frame is centred on the first sample
        mirrored = torch.cat(
            [padded[:, 1 : half + 1].flip(1), padded, padded[:, -half - 1 : -1].flip(1)], dim=1
        )
        real, imaginary = F.conv1d(mirrored[:, None], self.basis, stride=HOP)[..., :-1].chunk(2, dim=1)
        power = real.square() + imaginary.square()
        mel = (self.filters @ power).clamp(min=SMALLEST_POWER).log10()
        found: Tensor = self.network(scale(mel), self.chosen)
        return found


class _WaveformStates(nn.Module):
    """Hidden states of the other families: :class:`pipelines.encoders.waveform.WaveformEncoder`."""

    def __init__(self, architecture: WaveformArchitecture, encoder: Encoder) -> None:
        super().__init__()
        self.chosen, self.normalise = encoder.states, architecture.normalise
        self.network = encoder.network

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, n) → (B, state, frame, width)."""
        if self.normalise:
            centred = waveform - waveform.mean(dim=1, keepdim=True)
            waveform = centred / (centred.square().mean(dim=1, keepdim=True) + SMALLEST_VARIANCE).sqrt()
        result = self.network(waveform, output_hidden_states=True)
        last = len(result.hidden_states) - 1
        hidden = [*result.hidden_states[:last], result.last_hidden_state]
        return torch.stack([hidden[state] for state in self.chosen], dim=1)


def _average_frames(hidden: Tensor, heard: Tensor, stride: int) -> Tensor:
    """Means of ``stride`` frames each, of those that are heard: (B, states · width, ⌈frames / stride⌉)."""
    frames = hidden.shape[2]
    more = (frames + stride - 1) // stride * stride - frames
    count = F.pad(heard, (0, more)).view(-1, stride).sum(dim=1)
    padded = F.pad(hidden * heard[:, None], (0, 0, 0, more))
    sums = padded.view(*hidden.shape[:2], -1, stride, hidden.shape[3]).sum(dim=3)
    return (sums / count.clamp(min=1)[:, None]).transpose(2, 3).flatten(1, 2)
