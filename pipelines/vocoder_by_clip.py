"""Phase vocoder with its own window sizes and hops for each clip, for all clips of a batch at once.

The method is that of :mod:`pipelines.vocoder`, where all clips share sizes and hops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from pipelines.chirp import convolution_size, invert_rows, transform_rows
from pipelines.constants import positions

ROWS = 4
"""Rows of the words that :func:`change_by_clip` takes."""


@dataclass(frozen=True)
class VocoderLimits:
    """Bounds of sizes and hops over all values that a view may draw, so that shapes follow from the
    specification and not from what a batch draws.
    """

    largest_size: int
    largest_synthesis_size: int
    smallest_hop: int
    largest_hop: int

    def frames(self, length: int) -> int:
        """Frames that certainly reach the end of ``length`` synthesised samples, and of what they are
        made of.
        """
        return 2 + (length + max(self.largest_size, self.largest_synthesis_size)) // self.smallest_hop

    @property
    def overlap(self) -> int:
        """The most frames that contain a sample."""
        return -(-self.largest_synthesis_size // self.smallest_hop)

    @property
    def bins(self) -> int:
        """The most bins that analysis and synthesis share."""
        return min(self.largest_size, self.largest_synthesis_size) // 2 + 1

    def bytes(self, length: int) -> int:
        """Device memory of :func:`change_by_clip` per clip at its peak.

        Either three complex arrays of a convolution are held, or the frames, and of each sample in each of
        its frames two indices, the frame's number, the weight and the sound.
        """
        frames = self.frames(length)
        forth = convolution_size(self.largest_size, self.bins)
        back = convolution_size(self.bins, self.largest_synthesis_size)
        overlapping = 44 * self.overlap * length + 20 * frames * self.largest_synthesis_size
        return max(30 * frames * max(forth, back), overlapping)

    def shared_bytes(self, length: int) -> int:
        """Device memory per clip where all share sizes and hops: phases, magnitudes, spectra and frames."""
        return 20 * self.frames(length) * max(self.largest_size, self.largest_synthesis_size)


def change_by_clip(
    waveforms: torch.Tensor, words: torch.Tensor, limits: VocoderLimits, length: int
) -> torch.Tensor:
    """Analyse each clip, (clip, n) float32, and synthesise ``length`` samples of it: (clip, length).

    ``words`` : (4, clip) int64, the sizes of the windows of analysis and of synthesis, then their hops.
    """
    size, synthesis_size, hop, synthesis_hop = words
    frames = _frames(waveforms, size, hop, limits, length)
    bins = limits.bins
    spectra = transform_rows(frames, size, bins)
    # As in a transform of real numbers: rounding must not decide on which side of ±π these phases lie.
    torch.view_as_real(spectra)[..., 1].masked_fill_(_real_bins(size, bins)[:, None], 0.0)
    phase = spectra.angle()
    factor = (synthesis_hop * size).double() / (hop * synthesis_size)
    advance = _wrap(phase.diff(dim=1) - _centre_advance(size, hop, bins)[:, None])
    advance = advance.mul_(factor.float()[:, None, None]).add_(
        _centre_advance(synthesis_size, synthesis_hop, bins)[:, None]
    )
    phase = torch.cat([phase[:, :1], advance], dim=1).cumsum(1)
    shares = _shares(size, synthesis_size, bins)
    turned = torch.polar(spectra.abs().mul_(shares[:, None]), phase)
    sounds = invert_rows(turned, synthesis_size, limits.largest_synthesis_size)
    return _overlap_add(sounds, synthesis_size, synthesis_hop, limits.overlap, length)


def _frames(
    waveforms: torch.Tensor, size: torch.Tensor, hop: torch.Tensor, limits: VocoderLimits, length: int
) -> torch.Tensor:
    """Windowed frames (clip, frame, largest size); frame t of a clip is centred on its sample t · hop."""
    count, before = limits.frames(length), limits.largest_size // 2
    end = (count - 1) * limits.largest_hop + limits.largest_size
    padded = F.pad(waveforms, (before, max(0, end - waveforms.shape[1])))
    starts = positions(count, size.device) * hop[:, None] + (before - size // 2)[:, None]
    index = starts[:, :, None] + positions(limits.largest_size, size.device)
    return (
        padded.gather(1, index.flatten(1)).view(index.shape).mul_(_hann(size, limits.largest_size)[:, None])
    )


def _hann(size: torch.Tensor, largest: int) -> torch.Tensor:
    """Periodic Hann window of each clip's size, then zeros: (clip, largest) float32."""
    here = positions(largest, size.device)
    window = 0.5 - 0.5 * (here.double() * (2 * math.pi) / size[:, None]).cos()
    return window.masked_fill_(here >= size[:, None], 0.0).float()


def _centre_advance(size: torch.Tensor, hop: torch.Tensor, bins: int) -> torch.Tensor:
    """Phase advance of each bin's centre frequency in a hop, rad in [−π, π]: (clip, bins) float32."""
    centres = positions(bins, size.device) * hop[:, None]
    turns = centres.remainder(size[:, None]).double() / size[:, None]
    return (turns - turns.round()).mul_(2 * math.pi).float()


def _real_bins(size: torch.Tensor, bins: int) -> torch.Tensor:
    """Whether a bin of a real signal's transform is real: those of 0 Hz and size / 2. (clip, bins) bool."""
    here = positions(bins, size.device)
    return (here == 0) | (2 * here == size[:, None])


def _shares(size: torch.Tensor, synthesis_size: torch.Tensor, bins: int) -> torch.Tensor:
    """Factors on the bins for :func:`invert_rows`, (clip, bins) float32: 0 above half of either size."""
    here = positions(bins, size.device)
    kept = 2 * here <= torch.minimum(size, synthesis_size)[:, None]
    return (kept * torch.where(_real_bins(synthesis_size, bins), 1.0, 2.0)) / size[:, None]


def _overlap_add(
    frames: torch.Tensor, size: torch.Tensor, hop: torch.Tensor, overlap: int, length: int
) -> torch.Tensor:
    """Weight frames (clip, frame, sample) by their windows, and divide their sum by that of the squared
    windows: (clip, length).

    Every sample gathers its frames in the same order, where adding frames to samples would not be repeatable
    on a GPU.
    """
    largest = frames.shape[2]
    place = positions(length, size.device) + size[:, None] // 2
    last = place // hop[:, None]
    frame = last[:, None] - positions(overlap, size.device)[:, None]  # (clip, overlap, sample)
    offset = (place[:, None] - frame * hop[:, None, None]).clamp_(max=largest)
    window = F.pad(_hann(size, largest), (0, 1))  # 0 from the end of a frame on
    weight = window.gather(1, offset.flatten(1)).view(offset.shape).masked_fill_(frame < 0, 0.0)
    index = (frame.clamp(min=0) * largest).add_(offset.clamp_(max=largest - 1))
    sound = frames.flatten(1).gather(1, index.flatten(1)).view(index.shape).mul_(weight).sum(1)
    return sound / weight.square_().sum(1).clamp_(min=1e-3)


def _wrap(phase: torch.Tensor) -> torch.Tensor:
    """Wrap a phase in radians to [−π, π]."""
    return phase - torch.round(phase / (2 * math.pi)).mul_(2 * math.pi)
