"""From waveforms at 16 kHz to the numbers of an encoder feature: hidden states, and what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from pipelines.encoders.batches import send
from pipelines.encoders.encoder import Encoder
from pipelines.encoders.pooling import average_frames, pool
from schemas.encoders import ENCODER_RATE, EncoderSpec, Precision

_AUTOCAST: dict[Precision, torch.dtype] = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class HiddenStates:
    """Hidden states of some clips.

    ``values`` : (clip, state, frame, width) float32. ``frames`` : real frames of each clip, (clip,) int64 on
    the device; None if all frames of all clips are real.
    """

    values: torch.Tensor
    frames: torch.Tensor | None


def encode(
    encoder: Encoder, feature: EncoderSpec, waveforms: torch.Tensor, lengths: Sequence[int]
) -> HiddenStates:
    """Hidden states of waveforms (clip, samples) at 16 kHz, in the window and the precision of ``feature``.

    ``lengths`` : samples of each clip, at least 1; ``waveforms`` are zero behind them, and as long as the
    longest. Lengths may differ if ``encoder.masks``, or if the window is fixed.
    """
    frames = [feature.encoder_frames(samples, ENCODER_RATE) for samples in lengths]
    padded = feature.window == "clip" and len(set(lengths)) > 1
    if feature.window != "clip":
        window = round(feature.window * ENCODER_RATE)
        waveforms = F.pad(waveforms, (0, max(0, window - waveforms.shape[1])))[:, :window]
    dtype = _AUTOCAST.get(feature.precision)
    with torch.autocast(waveforms.device.type, dtype, enabled=dtype is not None):
        states = encoder.masked_states(waveforms, lengths) if padded else encoder.hidden_states(waveforms)
    real = None if len(set(frames)) == 1 else send(frames, waveforms.device)
    return HiddenStates(states[:, :, : max(frames)].float(), real)


def summarise(feature: EncoderSpec, hidden: HiddenStates) -> torch.Tensor:
    """The feature, (clip, frame, coefficient) float32, of hidden states of its own layers alone."""
    if feature.pooling == "frames":
        return average_frames(hidden.values, feature.stride, hidden.frames)
    return pool(hidden.values, feature.statistics, hidden.frames)
