"""Features in the time domain: energy and zero crossings per frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

ZERO = 1e-10
"""Magnitudes up to this count as zero, and zero counts as positive (``librosa.zero_crossings``)."""


class Frames:
    """Centred frames of several waveforms, padded with zeros: frame t is centred on sample t · hop."""

    def __init__(
        self, waveforms: Sequence[torch.Tensor], frame_length: int, hop_length: int, frames: int, length: int
    ) -> None:
        """Pad batches of waveforms, each (batch, samples) float32, with zeros from their end to
        ``length``.
        """
        self._frame_length, self._hop_length, self._length = frame_length, hop_length, length
        self._half = frame_length // 2
        self._starts = slice(0, hop_length * (frames - 1) + 1, hop_length)
        rows = sum(map(len, waveforms))
        self._padded = waveforms[0].new_zeros(rows, frame_length + hop_length * (frames - 1))
        row = 0
        for batch in waveforms:
            target = self._padded[row : row + len(batch), self._half :]
            kept = min(batch.shape[-1], target.shape[-1])
            target[:, :kept] = batch[:, :kept]
            row += len(batch)

    def rms(self) -> torch.Tensor:
        """Root of the mean square of each frame: (waveform, frame, 1) float32, amplitude units."""
        return (self._sums(self._padded.square()) / self._frame_length).sqrt_()[..., None]

    def zero_crossing_rate(self) -> torch.Tensor:
        """Sign changes within each frame divided by its length: (waveform, frame, 1) float32, 0…1.

        The edge values continue beyond the fixed length, so that there is no sign change at its ends.
        """
        negative = (self._padded + ZERO).sign_().clamp_(max=0)  # −1 or 0; comparisons are slower
        # Entry j says whether padded samples j − 1 and j differ.
        changes = torch.zeros_like(negative)
        torch.sub(negative[:, 1:], negative[:, :-1], out=changes[:, 1:]).abs_()
        changes[:, self._half] = 0
        changes[:, self._half + self._length :] = 0
        # The change into the first sample of a frame is not within the frame.
        count = self._sums(changes) - changes[:, self._starts]
        return (count / self._frame_length)[..., None]

    def _sums(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over each frame of (waveform, padded sample) values; frames share the sums of whole blocks."""
        block = math.gcd(self._frame_length, self._hop_length)
        blocks = values.view(len(values), -1, block).sum(-1)
        sums: torch.Tensor = blocks.unfold(-1, self._frame_length // block, self._hop_length // block).sum(-1)
        return sums
