"""Band-limited resampling by a rational ratio, on batches and on any device."""

from __future__ import annotations

import torch
import torchaudio.functional

_ZERO_CROSSINGS = 24
_ROLLOFF = 0.92
_KAISER_BETA = 9.0
"""A windowed sinc that passes up to 0.88 of the lower Nyquist frequency and rejects aliases by > 80 dB."""


def resample(waveforms: torch.Tensor, numerator: int, denominator: int) -> torch.Tensor:
    """Resample (batch, samples) so that n samples become ⌈n · numerator / denominator⌉.

    A Kaiser-windowed sinc (Smith, "Digital Audio Resampling Home Page"), polyphase. The two numbers
    stay small (at most a few hundred): the kernel has ``numerator`` phases.
    """
    return torchaudio.functional.resample(  # type: ignore[no-any-return]
        waveforms,
        orig_freq=denominator,
        new_freq=numerator,
        lowpass_filter_width=_ZERO_CROSSINGS,
        rolloff=_ROLLOFF,
        resampling_method="sinc_interp_kaiser",
        beta=_KAISER_BETA,
    )
