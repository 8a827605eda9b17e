"""Features in the time domain: energy and zero crossings per frame."""

from __future__ import annotations

import math

import numpy as np
import torch

from pipelines.features.padding import PaddedWaveforms

ZERO = 1e-10
"""Magnitudes up to this count as zero, and zero counts as positive (``librosa.zero_crossings``)."""


class Frames:
    """The frames of padded waveforms, of which the first ``length`` samples after the padding count."""

    def __init__(self, waveforms: PaddedWaveforms, length: int) -> None:
        self._padded, self._length = waveforms.samples, length
        self._frame_length, self._hop_length = waveforms.frame_length, waveforms.hop_length
        self._half = waveforms.frame_length // 2
        self._block = math.gcd(waveforms.frame_length, waveforms.hop_length)
        self._starts = slice(0, self._hop_length * (waveforms.frames - 1) + 1, self._hop_length)

    def rms(self) -> torch.Tensor:
        """Root of the mean square of each frame: (waveform, frame, 1) float32, amplitude units."""
        return (self._sums(self._padded.square()) / self._frame_length).sqrt_()[..., None]

    def zero_crossing_rate(self) -> torch.Tensor:
        """Sign changes within each frame divided by its length: (waveform, frame, 1) float32, 0…1.

        The edge values continue beyond the fixed length, so that there is no sign change at its ends.
        """
        if self._padded.device.type == "cpu" and self._block % 64 == 0:
            count = self._count_in_words()
        else:
            count = self._count_in_numbers()
        return (count / self._frame_length)[..., None]

    def _count_in_numbers(self) -> torch.Tensor:
        """Sign changes within each frame: (waveform, frame) float32."""
        negative = (self._padded + ZERO).sign_().clamp_(max=0)  # −1 or 0; comparisons are slower
        # Entry j says whether padded samples j − 1 and j differ.
        changes = torch.zeros_like(negative)
        torch.sub(negative[:, 1:], negative[:, :-1], out=changes[:, 1:]).abs_()
        changes[:, self._half] = 0
        changes[:, self._half + self._length :] = 0
        # The change into the first sample of a frame is not within the frame.
        return self._sums(changes) - changes[:, self._starts]

    def _count_in_words(self) -> torch.Tensor:
        """The same on a CPU, where NumPy compares fast and counts 64 samples at once."""
        negative = self._padded.numpy() < -np.float32(ZERO)
        changes = np.zeros_like(negative)
        np.not_equal(negative[:, 1:], negative[:, :-1], out=changes[:, 1:])
        changes[:, self._half] = False
        changes[:, self._half + self._length :] = False
        words = np.bitwise_count(np.packbits(changes, axis=1).view(np.uint64))
        blocks = words.reshape(len(words), -1, self._block // 64).sum(axis=-1, dtype=np.float32)
        return self._frame_sums(torch.from_numpy(blocks)) - torch.from_numpy(
            changes[:, self._starts].astype(np.float32)
        )

    def _sums(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over each frame of (waveform, padded sample) values."""
        return self._frame_sums(values.view(len(values), -1, self._block).sum(-1))

    def _frame_sums(self, blocks: torch.Tensor) -> torch.Tensor:
        """Sum over each frame of the sums of blocks, which frames share."""
        sums: torch.Tensor = blocks.unfold(
            -1, self._frame_length // self._block, self._hop_length // self._block
        ).sum(-1)
        return sums
