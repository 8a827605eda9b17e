"""The waveforms of a clip's views, from which the pipeline computes features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pipelines.batch import ClipBatch, ViewBatch
from pipelines.decode import Recording, UnusableRecordingError, decode
from pipelines.process import single_threaded
from pipelines.recording.source import ByteSource, MemorySource
from pipelines.segments import Segment, decode_segments
from pipelines.trim import trim_bounds
from pipelines.views.compute import augment, original
from pipelines.window import untrimmed_samples, window_samples
from schemas.spec import AudioSpec, StoreSpec
from schemas.views import ORIGINAL


@dataclass(frozen=True)
class Waveform:
    """One view: ``samples`` (n,) float32 at the sample rate of the specification, without padding.

    ``parameter`` and ``key`` are those of :data:`schemas.tables.VIEWS_SCHEMA`.
    """

    name: str
    kind: str
    parameter: float | None
    key: str
    samples: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Waveforms:
    """The views of a clip, and how many seconds of the recording the original lacks."""

    views: tuple[Waveform, ...]
    trimmed_start_s: float
    trimmed_end_s: float
    cut_s: float
    """Seconds beyond the fixed length."""


@torch.inference_mode()
def derive(
    data: bytes | ByteSource, clip_id: str, spec: StoreSpec, segment: Segment | None = None
) -> Waveforms:
    """Derive the views of a recording, or of a segment of it, from its bytes or a source of them.

    Raises :class:`~pipelines.decode.UnusableRecordingError` if a build would mark the recording as bad.
    """
    recording = _decode(data, spec.audio, segment)
    samples = recording.samples
    start_s, end_s = _trimmed_seconds(data, spec, segment)
    with single_threaded():
        kept = torch.from_numpy(samples[: window_samples(spec)])[None]
        whole = torch.from_numpy(recording.untrimmed[: untrimmed_samples(spec)])[None]
        batch = ClipBatch(
            kept,
            (kept.shape[1],),
            (clip_id,),
            spec.seed,
            spec.length,
            spec.audio.sample_rate,
            ViewBatch(whole, (whole.shape[1],), (None,)),
        )
        first = _waveform(batch, ORIGINAL, ORIGINAL, original(batch))
        others = (_waveform(batch, view.name, view.kind, augment(batch, view)) for view in spec.views)
        views = (first, *others)
    cut = max(0, len(samples) - spec.length) / spec.audio.sample_rate
    return Waveforms(views, start_s, end_s, cut)


def _waveform(batch: ClipBatch, name: str, kind: str, view: ViewBatch) -> Waveform:
    (length,), (parameter,), (key,) = view.lengths, view.parameters, batch.keys(name)
    return Waveform(name, kind, parameter, key.hex, view.waveforms[0, :length].numpy())


def _decode(data: bytes | ByteSource, audio: AudioSpec, segment: Segment | None) -> Recording:
    if segment is None:
        return decode(data, audio)
    source = data if isinstance(data, ByteSource) else MemorySource(data)
    (found,) = decode_segments(source, (segment,), audio)
    if isinstance(found, UnusableRecordingError):
        raise found
    return found


def _trimmed_seconds(
    data: bytes | ByteSource, spec: StoreSpec, segment: Segment | None
) -> tuple[float, float]:
    """Seconds that trimming removes at the start and the end."""
    if spec.audio.trim_db is None:
        return 0.0, 0.0
    plain = spec.audio.model_copy(update={"trim_db": None, "normalise": "none"})
    whole = _decode(data, plain, segment).samples
    start, stop = trim_bounds(whole, spec.audio.trim_db)
    rate = spec.audio.sample_rate
    return start / rate, (len(whole) - stop) / rate
