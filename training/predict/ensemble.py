"""Predictions of several runs together: the mean of their probabilities, or of the values of regressions.

::

    RUN ─────────────▶ predictor ─┐
    SERIES ─▶ fold-1 ▶ predictor ─┼▶ mean over runs ▶ Prediction
              fold-2 ▶ predictor ─┘

Each run has the pipeline of its own store; runs with the same features process a recording only once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipelines.decode import UnusableRecordingError
from pipelines.recording.source import RecordingFile, opened
from pipelines.speech import SpeechDetector, split_speech
from schemas.errors import RunError
from schemas.segmentation import Windows
from training.predict.predictor import Prediction, Predictor, is_longer, require_short
from training.predict.scorer import Scorer
from training.predict.streaming import WindowStream
from training.predict.windows import Span, Waveform
from training.runs.elsewhere import local_run
from training.runs.run import require_once
from training.runs.series import SeriesFolder


@dataclass(frozen=True, eq=False)
class Ensemble:
    """One or several runs, used like a single :class:`training.predict.predictor.Predictor`."""

    runs: tuple[Path, ...]
    """All runs; for a series, its folds."""
    predictors: tuple[Predictor, ...]
    """One per pipeline; it predicts the mean of its runs."""
    shares: tuple[int, ...]
    """Number of runs of each predictor."""
    models: tuple[str, ...]
    """Names of the models of ``runs``."""

    @classmethod
    def open(
        cls,
        runs: Sequence[str | Path],
        device: str = "auto",
        encoders: Mapping[str, Path] | None = None,
    ) -> Self:
        """Open runs, and all folds of series, folders or URLs, on ``device`` (``auto``, ``cpu``, ``cuda``).

        ``encoders`` : folders of the weights of encoders by name; others are found by their hash.

        Raises :class:`UsageError` if a run is given twice, :class:`RunError` if a fold is not finished or a
        run has different emotions than the first, and what :meth:`Predictor.open` raises.
        """
        paths = tuple(path for run in runs for path in _folds(local_run(run)))
        require_once(paths)
        opened = [Predictor.open(path, device, encoders) for path in paths]
        for path, predictor in zip(paths, opened, strict=True):
            _require_same_emotions(paths[0], opened[0], path, predictor)
        alike: list[list[Predictor]] = []
        for predictor in opened:
            group = next((group for group in alike if _hear_the_same(group[0], predictor)), None)
            if group is None:
                alike.append([predictor])
            else:
                group.append(predictor)
        return cls(
            paths,
            tuple(replace(group[0], score=_mean_of([each.score for each in group])) for group in alike),
            tuple(map(len, alike)),
            tuple(predictor.record.recipe.model.name for predictor in opened),
        )

    @classmethod
    def of(cls, run: Path, predictor: Predictor) -> Self:
        """The ensemble of a single run, which is open."""
        return cls((run,), (predictor,), (1,), (predictor.record.recipe.model.name,))

    @property
    def emotions(self) -> tuple[str, ...]:
        """Names, in the order of probabilities."""
        return self.predictors[0].emotions

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What regressions predict; empty for classifiers."""
        return self.predictors[0].dimensions

    @property
    def window_s(self) -> float:
        """Seconds of a clip that every run hears."""
        return min(predictor.window_s for predictor in self.predictors)

    @property
    def longest_s(self) -> float:
        """Seconds of a recording that one prediction of every run covers."""
        return min(predictor.spec.audio.max_duration_s for predictor in self.predictors)

    def predict(self, file: RecordingFile) -> Prediction:
        """Like :meth:`Predictor.predict`; ``unheard_s`` is the largest of all runs."""
        with opened(file) as source:
            require_short(source, self.longest_s)
            return self._mean([predictor.predict(source) for predictor in self.predictors])

    def timeline(
        self, file: RecordingFile, window_s: float | None = None, step_s: float = 1.0
    ) -> Iterator[Prediction]:
        """Like :meth:`Predictor.timeline`; a window is silent if it is silent for every run."""
        window_s = self.window_s if window_s is None else window_s
        if is_longer(file, self.longest_s):
            each = [predictor.timeline(file, window_s, step_s) for predictor in self.predictors]
        else:
            with opened(file) as source:  # once for all predictors, which decode it at once
                each = [predictor.timeline(source, window_s, step_s) for predictor in self.predictors]
        return (self._mean(found) for found in zip(*each, strict=True))

    def predict_speech(self, file: RecordingFile, detector: SpeechDetector) -> Iterator[Prediction]:
        """Predict each segment of speech of a recording of any length, as a build with ``silero`` cuts them.

        Segments are at most :attr:`longest_s` long. Nothing is predicted for a recording without speech.
        Raises what :meth:`Predictor.predict` raises except :class:`TooLongError`.
        """
        try:
            found = detector.find(file)
        except UnusableRecordingError as error:
            raise error.without_setting() from error
        shortest_s = max(predictor.spec.audio.min_duration_s for predictor in self.predictors)
        segments = list(split_speech(found, shortest_s, self.longest_s))
        each = [predictor.predict_segments(file, segments) for predictor in self.predictors]
        return (self._mean(found) for found in zip(*each, strict=True))

    def listen(
        self, blocks: Iterable[Waveform], rate: int, window_s: float | None = None, step_s: float = 1.0
    ) -> Iterator[Prediction]:
        """Predictions for a live sound, equal to those of :meth:`timeline` for a file of it.

        Unlike a file, a sound is never refused: one that is too short has no predictions, and one that is
        silent throughout is predicted as silence.

        ``blocks`` are (n,) float32 mono each, at ``rate`` Hz, until the sound ends. A window is predicted as
        soon as its last sample has arrived; the last window ends with the sound. Raises :class:`UsageError`
        as :meth:`timeline` does.
        """
        stream = self.stream(rate, window_s, step_s)

        def predictions() -> Iterator[Prediction]:
            for block in blocks:
                yield from stream.feed(block)
            yield from stream.finish()

        return predictions()

    def stream(self, rate: int, window_s: float | None = None, step_s: float = 1.0) -> WindowStream:
        """A stream to feed with samples at ``rate`` Hz, with the predictions of :meth:`listen`."""
        windows = Windows(self.window_s if window_s is None else window_s, step_s)
        self.require_windows(windows)
        audios = [predictor.spec.audio for predictor in self.predictors]
        return WindowStream(rate, audios, windows, self.window_s, self._predict_window)

    def require_windows(self, windows: Windows) -> None:
        """Raise :class:`UsageError` for windows too short or long for a model, or an invalid step."""
        for predictor in self.predictors:
            predictor.require_windows(windows.window_s, windows.step_s)

    def _predict_window(self, span: Span, heard: Sequence[Waveform | None]) -> Prediction:
        return self._mean(
            [
                next(predictor.predict_parts([(span, samples)]))
                for predictor, samples in zip(self.predictors, heard, strict=True)
            ]
        )

    def _mean(self, found: Sequence[Prediction]) -> Prediction:
        """Mean of one prediction per predictor, weighted by its number of runs."""
        heard = [
            (share, each.results)
            for share, each in zip(self.shares, found, strict=True)
            if each.results is not None
        ]
        if not heard:
            return found[0]
        total = sum(share * results for share, results in heard)
        mean = np.asarray(total / sum(share for share, _ in heard))
        return replace(found[0].with_results(mean), unheard_s=max(each.unheard_s for each in found))


def _folds(run: Path) -> list[Path]:
    """Folds of a series, or the run itself."""
    if not SeriesFolder.is_one(run):
        return [run]
    series = SeriesFolder.open(run)
    numbers = range(1, len(series.record().folds) + 1)
    for number in numbers:
        if not series.is_finished(number):
            raise RunError(
                f"fold {number} of {run} is not finished; resume with: ser-train --resume {run}, or give the "
                "folders of the finished folds"
            )
    return [series.fold(number) for number in numbers]


def _require_same_emotions(first: Path, wanted: Predictor, path: Path, predictor: Predictor) -> None:
    one, two = wanted.record.recipe.labels, predictor.record.recipe.labels
    if wanted.dimensions != predictor.dimensions:
        raise RunError(
            f"{path} predicts {_described(predictor)}, but {first} predicts {_described(wanted)}; give runs "
            "that predict the same"
        )
    if wanted.dimensions:
        return
    if not one.label_set().agrees_with(two.label_set()):
        raise RunError(
            f"{path} predicts the emotions of {two.described}, but {first} those of {one.described}; give "
            "runs with the same label set"
        )


def _described(predictor: Predictor) -> str:
    return f"values of {', '.join(predictor.dimensions)}" if predictor.dimensions else "emotions"


def _hear_the_same(one: Predictor, two: Predictor) -> bool:
    """Whether both models have the same input and the same classes or dimensions."""
    first, second = one.record, two.record
    return (one.spec, first.features, first.outputs) == (two.spec, second.features, second.outputs)


def _mean_of(scorers: Sequence[Scorer]) -> Callable[[Tensor, Tensor], NDArray[np.float64]]:
    if len(scorers) == 1:
        return scorers[0]

    def mean(features: Tensor, valid: Tensor) -> NDArray[np.float64]:
        return np.asarray(np.mean([score(features, valid) for score in scorers], axis=0))

    return mean
