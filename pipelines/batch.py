"""A batch of clips on its way through the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pipelines.random_stream import StreamKey, stream_key


@dataclass(frozen=True)
class ClipBatch:
    """Waveforms of clips, padded with zeros to one length.

    ``waveforms`` : (clip, window) float32, zero from each clip's length on.
    ``lengths``   : (clip,) int64 samples, on the device of the waveforms.
    ``clip_ids``  : one a clip; with the seed they key the views' randomness.
    """

    waveforms: torch.Tensor
    lengths: torch.Tensor
    clip_ids: tuple[str, ...]
    seed: int

    def keys(self, view_name: str) -> list[StreamKey]:
        """Key of each clip's random stream for the view."""
        return [stream_key(self.seed, clip_id, view_name) for clip_id in self.clip_ids]


@dataclass(frozen=True)
class ViewBatch:
    """One view of a batch.

    ``waveforms`` : (clip, length) float32 of the specification's fixed length, zero past ``lengths``.
    ``lengths``   : (clip,) int64 samples that hold sound.
    ``parameters``: (clip,) drawn or fixed value of the view, None for the original.
    """

    waveforms: torch.Tensor
    lengths: torch.Tensor
    parameters: tuple[float | None, ...]


def silence_padding(waveforms: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Set samples at and past each clip's length to zero, in place; returns ``waveforms``."""
    position = torch.arange(waveforms.shape[-1], device=waveforms.device)
    return waveforms.masked_fill_(position >= lengths[:, None], 0.0)
