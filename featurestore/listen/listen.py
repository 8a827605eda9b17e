"""Write the views of one clip as WAV files, derived again from its recording."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from featurestore.format.outside import require_outside
from featurestore.listen.clip import ListenRequest, StoredView, Subject, find_subject
from featurestore.listen.wav import WavFile, write_wav
from featurestore.listen.waveforms import Waveform, Waveforms, derive
from featurestore.places.durable import storage_errors
from pipelines.recording.source import open_recording
from schemas.errors import RecordingError, StoreConflictError

_LONGEST_NAME = 60


@dataclass(frozen=True)
class ViewFile:
    """A view and its WAV file; ``seconds`` is its duration."""

    index: int
    view: Waveform
    seconds: float
    file: WavFile


@dataclass(frozen=True)
class ListenResult:
    """The files that were written for a clip."""

    subject: Subject
    sample_rate: int
    views: tuple[ViewFile, ...]
    waveforms: Waveforms


def listen(request: ListenRequest, out: Path) -> ListenResult:
    """Derive the views of the requested clip and write them to the folder ``out``.

    For a clip of a store, the recording must be the one that the store was built from, and the values drawn
    for its views must be the recorded ones. Otherwise the files would not be what models are trained on.

    Raises :class:`UsageError` if ``out`` is inside a store, :class:`StoreConflictError` if they differ,
    :class:`RecordingError` if the recording cannot be used, ``OSError`` if a file cannot be read or written,
    and what :func:`~featurestore.listen.clip.find_subject` raises.
    """
    require_outside(out, "--out")
    subject = find_subject(request)
    waveforms = _derive(subject, request)
    if subject.stored is not None:
        _require_stored(waveforms, subject.stored, subject.clip_id, request.what)
    rate = subject.spec.audio.sample_rate
    stem = safe_stem(subject.clip_id)
    views = []
    with storage_errors(out):
        for index, view in enumerate(waveforms.views):
            file = write_wav(out / f"{stem}-{index}-{view.name}.wav", view.samples, rate)
            views.append(ViewFile(index, view, len(view.samples) / rate, file))
    return ListenResult(subject, rate, tuple(views), waveforms)


def _derive(subject: Subject, request: ListenRequest) -> Waveforms:
    with open_recording(subject.recording) as source:
        if subject.sha256 is not None and source.sha256() != subject.sha256:
            raise StoreConflictError(
                f"'{subject.recording}' is not the recording that {request.what} was built from; "
                f"restore that recording, or run `ser-features build` again"
            )
        try:
            return derive(source, subject.clip_id, subject.spec, subject.segment)
        except RecordingError as error:
            raise RecordingError(f"'{subject.recording}' cannot be used: {error}") from error


def safe_stem(clip_id: str) -> str:
    """File name of a clip without its corpus: at most 67 letters, digits, ``.``, ``_``, ``+`` and ``-``.

    If that differs from the clip's own name, six digits of its hash keep it distinct from similar names.
    """
    name = clip_id.partition("/")[2] or clip_id
    safe = re.sub(r"[^\w.+-]+", "-", name)[-_LONGEST_NAME:].lstrip(".-")
    return safe if safe == name else f"{safe or 'clip'}-{hashlib.sha256(clip_id.encode()).hexdigest()[:6]}"


def _require_stored(waveforms: Waveforms, stored: Mapping[str, StoredView], clip_id: str, store: str) -> None:
    for view in waveforms.views:
        recorded = stored[view.name]
        if (recorded.parameter, recorded.key) != (view.parameter, view.key):
            raise StoreConflictError(
                f"view {view.name} of {clip_id} has the drawn value {view.parameter} here, but "
                f"{store} records {recorded.parameter}, so the sound would differ from the stored features; "
                f"verify the store with `ser-features verify --full`"
            )
