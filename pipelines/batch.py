"""Batches of clips, and of their views, inside the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from pipelines.constants import positions
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
    def alone(self) -> bool:
        """Whether the batch is one clip without padding on a CPU, so that drawn values are those of all."""
        return self.lengths == self.waveforms.shape[1:] and self.waveforms.device.type == "cpu"

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


@dataclass(frozen=True)
class ViewPlan:
    """A view of a batch, decided on the host and not yet computed.

    ``lengths``, ``parameters`` : as those of :class:`ViewBatch`.
    ``words``   : (row, clip) int64, the numbers that are needed on the device. The words of all views travel
    together, so that the host never waits.
    ``compute`` : gives the waveforms (clip, samples) of the batch; its second argument is ``words`` on the
    device.
    """

    lengths: tuple[int, ...]
    parameters: tuple[float | None, ...]
    words: npt.NDArray[np.int64]
    compute: Callable[[ClipBatch, torch.Tensor], torch.Tensor]


def silence_padding(
    waveforms: torch.Tensor, lengths: tuple[int, ...], on_device: torch.Tensor
) -> torch.Tensor:
    """Set the samples after the end of each clip to zero, in place; returns ``waveforms``.

    ``on_device`` : the same lengths beside the waveforms, (clip,) int64.
    """
    if min(lengths) >= waveforms.shape[-1]:
        return waveforms
    behind = positions(waveforms.shape[-1], waveforms.device) >= on_device[:, None]
    return waveforms.masked_fill_(behind, 0.0)
