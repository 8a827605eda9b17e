"""A batch of clips on its way through the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from pipelines.random_stream import StreamKey, stream_key
from pipelines.vocoder import Analysis, analyse


@dataclass(frozen=True)
class ClipBatch:
    """Waveforms of clips, padded with zeros to the longest.

    ``waveforms`` : (clip, samples) float32, zero from each clip's length on.
    ``lengths``   : samples of each clip.
    ``clip_ids``  : one a clip; with the seed they key the views' randomness.
    ``length``    : samples of the specification's fixed length; a batch may hold more, for faster views.
    ``sample_rate``: Hz.
    """

    waveforms: torch.Tensor
    lengths: tuple[int, ...]
    clip_ids: tuple[str, ...]
    seed: int
    length: int
    sample_rate: int
    _analyses: dict[tuple[int, int], Analysis] = field(default_factory=dict, compare=False, repr=False)

    def keys(self, view_name: str) -> list[StreamKey]:
        """Key of each clip's random stream for the view."""
        return [stream_key(self.seed, clip_id, view_name) for clip_id in self.clip_ids]

    @property
    def kept(self) -> torch.Tensor:
        """The waveforms up to the fixed length: (clip, samples) float32."""
        return self.waveforms[:, : self.length]

    @property
    def kept_lengths(self) -> tuple[int, ...]:
        """Samples of each clip within the fixed length."""
        return tuple(min(samples, self.length) for samples in self.lengths)

    def analysis(self, size: int, hop: int) -> Analysis:
        """The vocoder's analysis of :attr:`kept`, made once for all views that ask for the same."""
        if (size, hop) not in self._analyses:
            self._analyses[size, hop] = analyse(self.kept, size=size, hop=hop)
        return self._analyses[size, hop]

    def row(self, index: int) -> ClipBatch:
        """One clip as a batch of its own, without the padding behind it."""
        return ClipBatch(
            self.waveforms[index : index + 1, : self.lengths[index]],
            self.lengths[index : index + 1],
            self.clip_ids[index : index + 1],
            self.seed,
            self.length,
            self.sample_rate,
        )


@dataclass(frozen=True)
class ViewBatch:
    """One view of a batch.

    ``waveforms`` : (clip, samples) float32, at most the fixed length, zero past ``lengths``.
    ``lengths``   : samples of each clip that hold sound.
    ``parameters``: drawn or fixed value of the view for each clip, None for the original.
    """

    waveforms: torch.Tensor
    lengths: tuple[int, ...]
    parameters: tuple[float | None, ...]


def silence_padding(waveforms: torch.Tensor, lengths: tuple[int, ...]) -> torch.Tensor:
    """Set samples at and past each clip's length to zero, in place; returns ``waveforms``."""
    for row, samples in enumerate(lengths):
        waveforms[row, samples:] = 0.0
    return waveforms
