"""Cuts the recordings of a scan into clips: windows of equal length, or segments of speech.

::

    scan ──▶ recordings that are whole clips ──▶ where they have sound ──▶ parts ──▶ clips
                                                 (from the cache, else the file)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from data.tables.rows import name_cut
from featurestore.format.layout import RECORDS
from featurestore.plan.existing_store import ExistingStore
from featurestore.plan.known_sounds import Sounds, Spans, Unusable, load_sounds, save_sounds
from featurestore.plan.recordings import Hashes
from featurestore.progress import Progress
from pipelines.decode import UnusableRecordingError
from pipelines.speech import SpeechDetector, detector_settings, require_detector, split_speech
from pipelines.stream import find_duration
from schemas.clip import Clip, Ignored, Scan
from schemas.errors import CorpusError, StoreConflictError, UsageError
from schemas.messages.counts import format_count
from schemas.segmentation import NO_SPEECH, Segmentation, SpeechSegments, Windows, parse_segmentation
from schemas.spec import AudioSpec

_Part = tuple[float, float | None]
"""Start and end in seconds; end None: the end of the recording."""

_DURATION = "duration"
_ROUNDING_S = 1e-9


def require_possible(segmentation: Segmentation, audio: AudioSpec) -> None:
    """Raise :class:`UsageError` if windows would be no usable clips, or a package is missing."""
    if isinstance(segmentation, SpeechSegments):
        require_detector()
    elif not audio.min_duration_s <= segmentation.window_s <= audio.max_duration_s:
        raise UsageError(
            f"--segment {segmentation}: a clip has {audio.min_duration_s:g} to {audio.max_duration_s:g} s "
            f"(min_duration_s and max_duration_s of the recipe); choose a window in this range"
        )


def choose_segmentation(
    requested: Segmentation | None, store: ExistingStore, scan: Scan
) -> Segmentation | None:
    """How the recordings of a corpus are cut: as in the store if it has the corpus, else as requested.

    Raises :class:`StoreConflictError` if the store's clips were cut in another way than requested, or if the
    record that says how is lost.
    """
    record = store.corpus_record(scan.dataset)
    if record is None:
        if requested is None:
            _require_uncut(store, scan)
        return requested
    recorded = None if record.segment is None else parse_segmentation(record.segment)
    if requested is not None and requested != recorded:
        how = "whole recordings" if recorded is None else f"--segment {recorded}"
        raise StoreConflictError(
            f"{scan.dataset} in {store.place} was built with {how}, not with --segment {requested}; leave "
            f"--segment out to keep its clips, give it for new corpora alone, or give another --out"
        )
    return recorded


def _require_uncut(store: ExistingStore, scan: Scan) -> None:
    if not any(name.startswith(f"{RECORDS}/{scan.dataset}/") for name in store.present):
        return
    whole = {clip.path for clip in scan.clips if not clip.is_segment}
    own = {clip.clip_id for clip in scan.clips}
    for record in store.unit_records().get(scan.dataset, {}).values():
        for clip in record.clips:
            if clip.path in whole and clip.clip_id not in own and clip.start_s is not None:
                raise StoreConflictError(
                    f"the record of {scan.dataset} in {store.place} is damaged, and it said how recordings "
                    f"were cut into clips such as {clip.clip_id}; add the --segment that the store was "
                    f"built with"
                )


def cut_recordings(
    scan: Scan, hashes: Hashes, segmentation: Segmentation, audio: AudioSpec, progress: Progress
) -> Scan:
    """The scan with its recordings cut into clips; segments that it names already stay.

    Windows are cut from recordings that are longer than one; others stay whole. Speech is cut from every
    recording; one without speech is ignored. A recording that cannot be read stays whole, and is unusable
    when it is decoded. Raises :class:`CorpusError` if nothing is left.
    """
    require_possible(segmentation, audio)
    whole = [clip for clip in scan.clips if not clip.is_segment]
    sounds = _find_sounds(scan, whole, hashes, segmentation, progress)
    kept = [clip for clip in scan.clips if clip.is_segment]
    taken = {clip.clip_id for clip in kept}
    ignored, cut, parts_cut = list(scan.ignored), 0, 0
    for clip in whole:
        found = sounds.get(hashes[clip.path] or "", Unusable("", None))
        if isinstance(found, Unusable):
            kept.append(_with_reason(clip, found, audio))
            continue
        parts = list(_parts(found, segmentation, audio))
        if parts == [(0.0, None)]:
            kept.append(clip)
        elif not parts:
            ignored.append(Ignored(clip.path, NO_SPEECH))
        else:
            new = [part for each in parts if (part := _part(clip, each)).clip_id not in taken]
            kept += new
            cut, parts_cut = cut + 1, parts_cut + len(new)
    if not kept:
        raise CorpusError(
            f"Silero VAD found no speech in any of the {format_count(len(whole), 'recording')} of "
            f"{scan.dataset}; cut windows with --segment WINDOW,STEP, or leave --segment out"
        )
    return replace(
        scan,
        clips=tuple(sorted(kept, key=lambda clip: (clip.speaker, clip.clip_id))),
        ignored=tuple(sorted(ignored, key=lambda item: item.path)),
        notices=(*scan.notices, *_notices(segmentation, cut, parts_cut, len(ignored) - len(scan.ignored))),
    )


def _notices(segmentation: Segmentation, cut: int, parts: int, without: int) -> Iterator[str]:
    if cut:
        yield (
            f"--segment {segmentation}: {format_count(cut, 'recording')} cut into "
            f"{format_count(parts, 'clip')}"
        )
    if without:
        yield f"--segment {segmentation}: {format_count(without, 'recording')} without speech left out"


def _with_reason(clip: Clip, found: Unusable, audio: AudioSpec) -> Clip:
    """A recording that stays whole; if it is refused for its length then, a note says why it was not cut."""
    if found.duration_s is None or found.duration_s <= audio.max_duration_s:
        return clip
    return replace(clip, note="; ".join(filter(None, (clip.note, f"not cut: {found.problem}"))))


def _part(clip: Clip, part: _Part) -> Clip:
    start, end = part
    return replace(clip, clip_id=f"{clip.clip_id}{name_cut(start, end)}", start_s=start, end_s=end)


def _parts(spans: Spans, segmentation: Segmentation, audio: AudioSpec) -> Iterator[_Part]:
    """Parts of a recording with sound at ``spans``; (0, None) for all of it."""
    if isinstance(segmentation, SpeechSegments):
        yield from split_speech(spans, audio.min_duration_s, audio.max_duration_s)
    else:
        for _, duration_s in spans:
            yield from cut_windows(duration_s, segmentation, audio.min_duration_s)


def cut_windows(duration_s: float, windows: Windows, shortest_s: float) -> Iterator[_Part]:
    """Windows of a recording: from 0, one per step, until one reaches the end.

    The last one ends with the recording, and is left out if it is shorter than ``shortest_s``. A recording
    that is no longer than a window is one part, (0, None).
    """
    count = 0
    while True:
        start = round(count * windows.step_s, 6)
        end = round(start + windows.window_s, 6)
        if count and duration_s - start < shortest_s - _ROUNDING_S:
            return
        if end >= duration_s - _ROUNDING_S:
            yield start, None
            return
        yield start, end
        count += 1


def _find_sounds(
    scan: Scan, whole: Sequence[Clip], hashes: Hashes, segmentation: Segmentation, progress: Progress
) -> Sounds:
    """Where each recording that can be read has sound; results are kept in the user's cache."""
    method = _method(segmentation)
    before = load_sounds(scan.root, method)
    files = {sha256: clip.path for clip in whole if (sha256 := hashes[clip.path]) is not None}
    after = {sha256: before[sha256] for sha256 in files if sha256 in before}
    unknown = [sha256 for sha256 in files if sha256 not in after]
    if not unknown:
        return after
    find = _finder(segmentation)
    try:
        with progress.task(f"segment {scan.dataset}", len(unknown), "recordings") as advance:
            for sha256 in unknown:
                try:
                    after[sha256] = find(scan.root / files[sha256])
                except UnusableRecordingError as error:
                    after[sha256] = Unusable(error.problem, error.duration_s)
                except OSError:  # decoding reports it
                    pass
                advance(1)
    finally:  # a stopped build keeps them too
        save_sounds(scan.root, method, after)
    return after


def _method(segmentation: Segmentation) -> str:
    if isinstance(segmentation, Windows):
        return _DURATION
    return detector_settings()


def _finder(segmentation: Segmentation) -> Callable[[Path], Spans]:
    if isinstance(segmentation, Windows):
        return _all_of_it
    return SpeechDetector.open().find


def _all_of_it(file: Path) -> Spans:
    duration_s = find_duration(file)
    if duration_s is None:
        raise UnusableRecordingError("its length is unknown")
    return ((0.0, duration_s),)
