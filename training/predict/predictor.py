"""Predict emotions of recordings: the pipeline that built the store, followed by a run's model.

::

    file ──▶ decode, resample ─┬▶ trim, scale, cut to the window ──▶ features ──▶ model ──▶ Prediction
                               └▶ windows of equal length, each treated as a clip ──▶ …  a timeline
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.decode import DecodedSound, UnusableRecordingError, decode_sound
from pipelines.device import choose_device
from pipelines.pipeline import Pipeline
from pipelines.recording.source import RecordingFile, opened
from pipelines.segments import Segment, decode_segments
from pipelines.stream import Stream, find_duration
from schemas.encoders import EncoderSpec
from schemas.errors import RunError, UsageError
from schemas.features import FeatureSpec
from schemas.spec import AudioSpec, StoreSpec
from schemas.valid_frames import count_valid_frames
from training.predict.scorer import Scorer, scorer_of
from training.predict.windows import Span, Waveform, spans, window_of, windows_of
from training.runs.elsewhere import local_run
from training.runs.run import RunFolder, RunRecord
from training.samples.targets import emotion_marginal

LONGEST_STEP_S = 3600.0

_MOST_IN_MEMORY_S = 300.0
"""Longest recording whose samples are held in memory; longer ones are decoded in blocks."""

SHORTEST_STEP_S = 0.01
"""Shortest step from window to window: a frame of speech."""

_BATCH = 32
"""Windows predicted at a time."""


class TooLongError(UnusableRecordingError):
    """A recording is too long for one prediction; :meth:`Predictor.timeline` predicts windows of it."""

    def __init__(self, duration_s: float, longest_s: float) -> None:
        super().__init__(
            f"{duration_s:.6g} s long, but one prediction covers at most {longest_s:g} s; predict windows of "
            f"it with Predictor.timeline"
        )
        self.duration_s = duration_s
        self.longest_s = longest_s


@dataclass(frozen=True)
class Prediction:
    """Prediction for a recording from ``start_s`` to ``stop_s``.

    ``probabilities`` (emotions,) float64 sum to 1, in the order of :attr:`Predictor.emotions`; None if the
    window is silent, and for a regression. ``values`` (dimensions,) float64 are a regression's, in the units
    of its labels; None if the window is silent, and for a classifier.
    """

    start_s: float
    stop_s: float
    emotions: tuple[str, ...]
    probabilities: NDArray[np.float64] | None
    unheard_s: float = 0.0
    """Seconds of sound after the part of a clip that the model hears."""
    note: str = ""
    """An oddity of the recording, such as a wrong length in its header."""
    dimensions: tuple[str, ...] = ()
    """What a regression predicts; empty for a classifier."""
    values: NDArray[np.float64] | None = None

    @property
    def results(self) -> NDArray[np.float64] | None:
        """Probabilities, or values of a regression; None if the window is silent."""
        return self.values if self.dimensions else self.probabilities

    def with_results(self, results: NDArray[np.float64] | None) -> Prediction:
        """The same part of a recording with other probabilities or values."""
        return replace(self, values=results) if self.dimensions else replace(self, probabilities=results)

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """Emotions and their probabilities, most probable first; empty for silence."""
        if self.probabilities is None:
            return []
        order = np.argsort(-self.probabilities, kind="stable")
        return [(self.emotions[i], float(self.probabilities[i])) for i in order]


@dataclass(frozen=True, eq=False)
class Predictor:
    """A run's model with the pipeline of the store that it was trained on."""

    record: RunRecord
    spec: StoreSpec
    emotions: tuple[str, ...]
    """Empty for a regression."""
    pipeline: Pipeline
    """From samples to the features of the store."""
    score: Scorer
    """From stored features to the probabilities of the classes of :attr:`record`, or to values."""

    @classmethod
    def open(cls, run: str | Path, device: str = "auto", encoders: Mapping[str, Path] | None = None) -> Self:
        """Open the run at ``run``, a folder or a URL, on ``device`` (``auto``, ``cpu``, ``cuda``).

        ``encoders`` : folders of the weights of encoders by name; others are found by their hash. Raises
        :class:`RunError` if there is no finished run, or if its model cannot predict single clips, and
        :class:`EncoderError` if weights that it needs are not on this machine.
        """
        folder = RunFolder.open(local_run(run))
        record = folder.record()
        _require_computed(folder, record)
        chosen_device = choose_device(device)
        spec = _needed_spec(record)
        labels = record.recipe.labels
        return cls(
            record=record,
            spec=spec,
            emotions=() if record.dimensions else tuple(map(str, labels.label_set().classes)),
            pipeline=Pipeline(spec, torch.device("cpu"), _encoder_folders(spec, encoders or {})),
            score=scorer_of(folder, chosen_device, spec),
        )

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What a regression predicts; empty for a classifier."""
        return self.record.outputs if self.record.dimensions else ()

    @property
    def window_s(self) -> float:
        """Most seconds of a clip that the model hears."""
        return self.spec.length / self.spec.audio.sample_rate

    def predict(self, file: RecordingFile) -> Prediction:
        """Predict a recording, given as a path or as the bytes of an audio file, like a clip of a store.

        Silence is trimmed as for the store; sound after :attr:`window_s` seconds is not heard. Raises
        :class:`pipelines.decode.UnusableRecordingError` for a file that a store would refuse,
        :class:`TooLongError` for one that is too long, and OSError.
        """
        audio = self.spec.audio
        require_short(file, audio.max_duration_s)
        recording = _decode(file, audio)
        (found,) = self.predict_parts([((0.0, recording.duration_s), recording.samples)])
        return self._complete(found, recording)

    def timeline(
        self, file: RecordingFile, window_s: float | None = None, step_s: float = 1.0
    ) -> Iterator[Prediction]:
        """Predict windows of a recording of any length, each treated as a clip.

        ``window_s`` defaults to :attr:`window_s`; the last window ends with the recording. Memory does not
        grow with the length. Raises what :meth:`predict` raises except :class:`TooLongError`, and
        :class:`UsageError` for windows that are longer than the model hears.
        """
        window_s = self.window_s if window_s is None else window_s
        self.require_windows(window_s, step_s)
        audio = self.spec.audio
        if is_longer(file, _MOST_IN_MEMORY_S):
            stream = Stream.open(file, audio)
            parts = windows_of(
                stream.blocks(), stream.rate, audio, spans(stream.duration_s, window_s, step_s)
            )
            return _with_note(self.predict_parts(parts), stream.note)
        whole = audio.model_copy(update={"trim_db": None, "normalise": "none", "max_duration_s": math.inf})
        recording = _decode(file, whole)
        found = self.predict_parts(
            (span, window_of(recording.samples, span, audio))
            for span in spans(recording.duration_s, window_s, step_s)
        )
        return _with_note(found, recording.note)

    def predict_segments(self, file: RecordingFile, segments: Sequence[Span]) -> Iterator[Prediction]:
        """Predict parts of a recording of any length, each like a file with its samples alone.

        ``segments`` : starts and ends in seconds, sorted by their ends. The recording is decoded once. Raises
        what :meth:`predict` raises, for a part that a store would refuse, too.
        """
        with opened(file) as source:
            parts = [Segment(start, stop) for start, stop in segments]
            for span, part in zip(segments, decode_segments(source, parts, self.spec.audio), strict=True):
                if isinstance(part, UnusableRecordingError):
                    raise part.without_setting() from part
                (found,) = self.predict_parts([(span, part.samples)])
                yield self._complete(found, part)

    def features(self, file: RecordingFile) -> dict[str, NDArray[np.floating]]:
        """Features of a recording as a store would hold them: feature → (coefficients, frames)."""
        samples = _decode(file, self.spec.audio).samples
        arrays = self.pipeline([""], [samples]).arrays
        return {name: arrays[name][0, 0] for name in self.record.features}

    def require_windows(self, window_s: float, step_s: float) -> None:
        """Raise :class:`UsageError` for windows too short or long for the model, or an invalid step."""
        audio = self.spec.audio
        if not audio.min_duration_s <= window_s <= self.window_s + 1e-9:
            raise UsageError(
                f"windows of {window_s:g} s: the model hears {audio.min_duration_s:g} to "
                f"{self.window_s:.4g} s; choose --window in this range"
            )
        if not SHORTEST_STEP_S <= step_s <= LONGEST_STEP_S:
            raise UsageError(
                f"a step of {step_s:g} s is out of range; give {SHORTEST_STEP_S:g} to {LONGEST_STEP_S:,.0f} s"
            )

    def predict_parts(self, clips: Iterable[tuple[Span, Waveform | None]]) -> Iterator[Prediction]:
        """Predict parts of a sound, in batches. A part is its span in seconds, and its samples or None.

        Samples (n,) float32 are at the specification's rate, trimmed and scaled like a clip; None is silence.
        """
        coming = iter(clips)
        while part := list(islice(coming, _BATCH)):
            heard = [samples for _, samples in part if samples is not None]
            scored = iter(self._results(heard)) if heard else iter(())
            for (start, stop), samples in part:
                silent = Prediction(start, stop, self.emotions, None, dimensions=self.dimensions)
                yield silent if samples is None else silent.with_results(next(scored))

    def inputs(self, clips: Sequence[Waveform]) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
        """Input of :attr:`score` for clips: stacked features (clips, C, T) as stored, valid frames (clips,).

        ``clips`` are (n,) float32 each, at the specification's rate, trimmed and scaled like a store's clips.
        """
        batches = [self.pipeline([""], [samples]) for samples in clips]
        arrays = [batch.arrays for batch in batches]
        stacked = [np.concatenate([found[name][0, 0] for name in self.record.features]) for found in arrays]
        samples = np.array([batch.samples[0, 0] for batch in batches])
        return np.stack(stacked), count_valid_frames(self.spec, self.record.features[0], samples)

    def marginal(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of classes (clips, classes) → of :attr:`emotions` (clips, emotions)."""
        labels = self.record.recipe.labels
        return emotion_marginal(probabilities, labels.label_set(), labels.target)

    def _complete(self, found: Prediction, sound: DecodedSound) -> Prediction:
        """A prediction with how much of its sound the model does not hear, and the note on the sound."""
        sound_s = len(sound.samples) / self.spec.audio.sample_rate
        return replace(found, unheard_s=max(0.0, sound_s - self.window_s), note=sound.note)

    def _results(self, clips: Sequence[Waveform]) -> NDArray[np.float64]:
        """Probabilities of :attr:`emotions`, (clips, emotions), or values of :attr:`dimensions`."""
        features, valid = self.inputs(clips)
        found = self.score(torch.from_numpy(features), torch.from_numpy(valid))
        return found if self.dimensions else self.marginal(found)


def _with_note(found: Iterator[Prediction], note: str) -> Iterator[Prediction]:
    return (replace(prediction, note=note) for prediction in found)


def is_longer(file: RecordingFile, seconds: float) -> bool:
    """Whether a recording has more than this many seconds; False for what is not readable."""
    duration_s = find_duration(file)
    return duration_s is not None and duration_s > seconds


def require_short(file: RecordingFile, longest_s: float) -> None:
    """Raise :class:`TooLongError` if a recording is longer than one prediction covers."""
    duration_s = find_duration(file)
    if duration_s is not None and duration_s > longest_s:
        raise TooLongError(duration_s, longest_s)


def _decode(file: RecordingFile, audio: AudioSpec) -> DecodedSound:
    """Decode a recording; errors do not name fields of a recipe, as the model is trained already."""
    try:
        with opened(file) as source:
            return decode_sound(source, audio)
    except UnusableRecordingError as error:
        if error.setting == "audio.max_duration_s" and error.duration_s is not None:
            raise TooLongError(error.duration_s, audio.max_duration_s) from error
        raise error.without_setting() from error


def _require_computed(folder: RunFolder, record: RunRecord) -> None:
    """Raise :class:`RunError` for a model that reads what only another tool can compute."""
    for feature in record.store_spec.imported:
        if feature.name in record.features:
            raise RunError(
                f"{folder.path} was trained on {feature.name}, which was imported ({feature.provenance}) and "
                f"cannot be computed here for new recordings; test it on a store with ser-evaluate, or "
                f"train on computed features"
            )


def _needed_spec(record: RunRecord) -> StoreSpec:
    """The store's specification without views, and without layers of encoders that are not read."""
    spec = record.store_spec.computed
    wanted = {feature.name: feature for feature in record.recipe.complete(record.store_spec).features}
    features: list[FeatureSpec] = []
    for feature in spec.features:
        if isinstance(feature, EncoderSpec):
            read = wanted[feature.name] if feature.name in record.features else None
            if isinstance(read, EncoderSpec):
                features.append(feature.model_copy(update={"layers": read.all_layers}))
        else:
            features.append(feature)
    return spec.model_copy(update={"views": (), "features": tuple(features)})


def _encoder_folders(spec: StoreSpec, folders: Mapping[str, Path]) -> dict[str, Path]:
    if not spec.encoders:
        return {}
    from pipelines.encoders.locate import locate_weights

    return {feature.name: locate_weights(feature, folders) for feature in spec.encoders}
