"""What every family of encoders provides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from schemas.encoders import Architecture


class Encoder(ABC):
    """A frozen encoder on one device that computes the hidden states it was made for.

    State 0 is the input of the first block and state i the output of block i, as ``transformers`` counts
    ``hidden_states``. The last state is the encoder's output, after the final layer norm if there is one.

    ``states`` : the states to compute, in ascending order; blocks above the last are not loaded.
    ``network`` : the loaded layers, frozen.
    ``masks`` : whether :meth:`masked_states` computes clips of different lengths in one pass.
    """

    network: nn.Module
    masks: bool = False

    def __init__(self, architecture: Architecture, states: tuple[int, ...]) -> None:
        self.architecture = architecture
        self.states = states

    @abstractmethod
    def hidden_states(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Hidden states (batch, state, frame, width) float32 of (batch, samples) float32 at 16 kHz.

        All waveforms of a batch have the same length, without padding, so a clip's numbers do not depend on
        its neighbours. The number of frames is ``architecture.frames(samples)``.
        """

    def masked_states(self, waveforms: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """Hidden states of waveforms that end after ``lengths`` samples each, and are zero from there on.

        The first ``architecture.frames(length)`` frames of a clip are those it has alone, apart from
        rounding; later ones mean nothing. Unless :attr:`masks`, each clip is a pass of its own.
        """
        clips = [self.hidden_states(waveforms[row : row + 1, :end])[0] for row, end in enumerate(lengths)]
        longest = max(clip.shape[1] for clip in clips)
        return torch.stack([F.pad(clip, (0, 0, 0, longest - clip.shape[1])) for clip in clips])
