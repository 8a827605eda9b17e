"""How many clips a GPU computes at once: a formula of the specification and of its free memory."""

from __future__ import annotations

import torch

from pipelines.features.tuning import tuning_bins
from pipelines.ratio import ratio_bounds
from pipelines.resample_by_clip import resample_bytes
from pipelines.views.pitch import pitch_limits
from pipelines.views.stretch import stretch_limits
from pipelines.window import untrimmed_samples, window_samples
from schemas.encoders import ENCODER_RATE
from schemas.spec import StoreSpec
from schemas.views import PitchSpec, SpeedSpec, StretchSpec, ViewSpec

MOST_CLIPS = 64
"""More would not use a GPU better, and would let the processes that read recordings wait for longer."""

_SHARE = 0.6
"""Of the free memory: transforms and the allocator need some that the formula does not know."""

_FLOAT = 4


def clips_per_batch(spec: StoreSpec, free_bytes: int) -> int:
    """The largest power of two, from 1 to :data:`MOST_CLIPS`, whose batch fits into ``free_bytes``."""
    fitting = int(free_bytes * _SHARE) // bytes_per_clip(spec)
    return min(MOST_CLIPS, 1 << max(0, fitting.bit_length() - 1))


def clips_on(spec: StoreSpec, device: torch.device) -> int:
    """Clips per batch on a device: 1 on a CPU, whose cache one clip fills."""
    if device.type == "cpu":
        return 1
    return clips_per_batch(spec, torch.cuda.mem_get_info(device)[0])


def bytes_per_clip(spec: StoreSpec) -> int:
    """Bytes of device memory that a clip of a batch takes at its peak.

    The waveforms of all views, and the larger of two peaks: that of the most expensive view while it is
    computed, and that of the features, for which all views' spectra are held at once.
    """
    waveforms = window_samples(spec) + untrimmed_samples(spec) + (len(spec.views) + 2) * spec.length
    views = max((_view_bytes(view, spec) for view in spec.views), default=0)
    return _FLOAT * waveforms + max(views, _signal_bytes(spec), _encoder_bytes(spec))


def _view_bytes(view: ViewSpec, spec: StoreSpec) -> int:
    rate = spec.audio.sample_rate
    match view:
        case PitchSpec():
            limits = pitch_limits(view, rate)
            by_clip = isinstance(view.semitones, tuple)
        case StretchSpec():
            limits = stretch_limits(view, rate)
            by_clip = isinstance(view.factor, tuple)
        case SpeedSpec() if isinstance(view.factor, tuple):
            return resample_bytes(spec.length, 1 / ratio_bounds(*view.factor)[1])
        case _:
            return 6 * _FLOAT * spec.length  # words of random numbers, indices of a rotation
    return limits.bytes(spec.length) if by_clip else limits.shared_bytes(spec.length)


def _signal_bytes(spec: StoreSpec) -> int:
    views, n_fft = len(spec.views) + 1, spec.spectral.n_fft
    frames: int = spec.frames
    columns: int = sum(part.stop - part.start for part in spec.signal_columns.values())
    tables = 5 * views * frames * columns
    if not spec.signal_columns.keys() - {"rms", "zcr"}:
        return _FLOAT * (tables + 4 * views * (spec.length + n_fft))
    spectra = views * frames * (n_fft // 2 + 1)
    one_view = frames * 2 * n_fft
    tuned = any(feature.kind == "chroma" and feature.tuning is None for feature in spec.features)
    tuning = 14 * views * frames * tuning_bins(spec.audio.sample_rate, n_fft) if tuned else 0
    return _FLOAT * (spectra + max(one_view, tables, tuning))


def _encoder_bytes(spec: StoreSpec) -> int:
    """The first convolutions of an encoder on waveforms hold 512 channels every five samples, and twice."""
    if not spec.encoders:
        return 0
    samples: int = spec.length * ENCODER_RATE // spec.audio.sample_rate
    return _FLOAT * 2 * 512 * samples // 5
