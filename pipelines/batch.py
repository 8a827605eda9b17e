"""Batches of clips, and of their views, inside the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from pipelines.random_stream import StreamKey, stream_key
from pipelines.vocoder import Analysis, analyse


@dataclass(frozen=True)
class ClipBatch:
    """Waveforms of clips, padded with zeros to the longest.

    ``waveforms`` : (clip, samples) float32, zero after the end of each clip.
    ``lengths``   : length of each clip in samples.
    ``clip_ids``  : one per clip; with ``seed``, they key the random streams of the views.
    ``length``    : fixed length of the specification in samples; a batch may hold more, for faster views.
    ``sample_rate``: Hz.
    ``untrimmed`` : the clips before trimming, as a view; None if no view needs them.
    """

    waveforms: torch.Tensor
    lengths: tuple[int, ...]
    clip_ids: tuple[str, ...]
    seed: int
    length: int
    sample_rate: int
    untrimmed: ViewBatch | None = None
    _analyses: dict[tuple[int, int], Analysis] = field(default_factory=dict, compare=False, repr=False)

    def keys(self, view_name: str) -> list[StreamKey]:
        """Key of each clip's random stream for the view."""
        return [stream_key(self.seed, clip_id, view_name) for clip_id in self.clip_ids]

    @property
    def kept(self) -> torch.Tensor:
        """The waveforms, cut to the fixed length: (clip, samples) float32."""
        return self.waveforms[:, : self.length]

    @property
    def kept_lengths(self) -> tuple[int, ...]:
        """Length of each clip in samples, at most the fixed length."""
        return tuple(min(samples, self.length) for samples in self.lengths)

    def analysis(self, size: int, hop: int) -> Analysis:
        """Vocoder analysis of :attr:`kept`, computed once for all views that use the same size and hop."""
        if (size, hop) not in self._analyses:
            self._analyses[size, hop] = analyse(self.kept, size=size, hop=hop)
        return self._analyses[size, hop]

    def row(self, index: int) -> ClipBatch:
        """One clip as a separate batch, without padding."""
        return ClipBatch(
            self.waveforms[index : index + 1, : self.lengths[index]],
            self.lengths[index : index + 1],
            self.clip_ids[index : index + 1],
            self.seed,
            self.length,
            self.sample_rate,
            None if self.untrimmed is None else self.untrimmed.row(index),
        )


@dataclass(frozen=True)
class ViewBatch:
    """One view of a batch.

    ``waveforms`` : (clip, samples) float32, at most the fixed length, zero past ``lengths``.
    ``lengths``   : samples of each clip before the padding.
    ``parameters``: drawn or fixed parameter of the view for each clip; None if it has none.
    """

    waveforms: torch.Tensor
    lengths: tuple[int, ...]
    parameters: tuple[float | None, ...]

    def row(self, index: int) -> ViewBatch:
        """The view of one clip as a separate batch, without padding."""
        one = slice(index, index + 1)
        return ViewBatch(self.waveforms[one, : self.lengths[index]], self.lengths[one], self.parameters[one])


def silence_padding(waveforms: torch.Tensor, lengths: tuple[int, ...]) -> torch.Tensor:
    """Set the samples after the end of each clip to zero, in place; returns ``waveforms``."""
    for row, samples in enumerate(lengths):
        waveforms[row, samples:] = 0.0
    return waveforms
