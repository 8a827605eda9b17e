"""The model that is served: an ensemble as ``ser-predict`` opens it, whose clips are scored in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from pipelines.machine import usable_cores
from pipelines.process import compute_alone
from schemas.errors import RecordingError, UsageError
from schemas.segmentation import Windows
from training.predict.ensemble import Ensemble
from training.predict.predictor import Prediction, TooLongError
from training.predict.windows import Waveform, spans
from training.serve.batches import Batches
from training.serve.limits import LONGEST_STEP_S, MOST_WINDOWS, ServiceLimits
from training.serve.turns import Turns


@dataclass(frozen=True)
class Heard:
    """Predictions for a recording, remarks about it, and its length."""

    predictions: tuple[Prediction, ...]
    notes: tuple[str, ...]
    duration_s: float


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model that threads ask at the same time. Call :meth:`close` at the end."""

    ensemble: Ensemble
    limits: ServiceLimits
    batches: Batches
    turns: Turns

    @classmethod
    def open(
        cls,
        runs: Sequence[Path],
        limits: ServiceLimits,
        batch_s: float,
        observe: Callable[[int], object],
        device: str = "auto",
        encoders: Mapping[str, Path] | None = None,
    ) -> Self:
        """Open runs and series; raises what :meth:`training.predict.ensemble.Ensemble.open` raises.

        ``batch_s`` : most seconds that a clip waits for those of other requests. ``observe`` : called with
        the number of clips of each batch.
        """
        compute_alone()
        ensemble = Ensemble.open(runs, device, encoders)
        turns = Turns(usable_cores())
        batches = Batches(batch_s, turns, observe)
        batched = tuple(replace(each, score=batches.scorer(each.score)) for each in ensemble.predictors)
        model = cls(replace(ensemble, predictors=batched), limits, batches, turns)
        model.warm()
        return model

    def close(self) -> None:
        """End the scoring thread. Requests that are still being computed fail."""
        self.batches.close()

    def warm(self) -> None:
        """Predict a second of noise, so that the first client does not wait for one-time setup."""
        rate = self.ensemble.predictors[0].spec.audio.sample_rate
        noise = np.random.default_rng(0).normal(0, 0.1, rate).astype(np.float32)
        list(self.listen([noise], rate, Windows(self.ensemble.window_s, 1.0)))

    def predict(self, content: bytes, windows: Windows | None = None) -> Heard:
        """Predict a file as ``ser-predict`` does: whole, or each of its ``windows``.

        Raises :class:`RecordingError` for a file that is not usable or exceeds the limits.
        """
        with self.batches.computing(), self.turns.taken():
            try:
                return self._predict(content, windows)
            except MemoryError as error:
                raise RecordingError("needs more memory than is free; send a shorter recording") from error

    def listen(
        self, blocks: Iterator[Waveform] | list[Waveform], rate: int, windows: Windows
    ) -> Iterator[Prediction]:
        """Predictions for the windows of a live sound; see :meth:`Ensemble.listen`.

        The caller's thread keeps its turn between predictions; ``blocks`` may leave it while they wait.
        """
        with self.turns.taken():
            yield from self.ensemble.listen(blocks, rate, windows.window_s, windows.step_s)

    def windows(self, window_s: float | None, step_s: float) -> Windows:
        """Windows of a request. Raises :class:`UsageError` if the model does not hear such windows."""
        window_s = self.ensemble.window_s if window_s is None else window_s
        for predictor in self.ensemble.predictors:
            try:
                predictor.require_windows(window_s, step_s)
            except UsageError as error:
                raise UsageError(str(error).replace("--window", "a window")) from error
        if step_s > LONGEST_STEP_S:
            raise UsageError(f"a step of {step_s:g} s is out of range; give at most {LONGEST_STEP_S:g} s")
        return Windows(window_s, step_s)

    def _predict(self, content: bytes, windows: Windows | None) -> Heard:
        duration_s = self.limits.allowed.require_counted(content) or 0.0
        notes: list[str] = []
        if windows is None:
            try:
                found = [self.ensemble.predict(content)]
            except TooLongError as error:
                notes.append(
                    f"{error.duration_s:.6g} s long, but one prediction covers at most {error.longest_s:g} s:"
                    f" these are predictions of windows of {self.ensemble.window_s:.4g} s, one per second"
                )
                windows = Windows(self.ensemble.window_s, 1.0)
        if windows is not None:
            count = len(spans(duration_s, windows.window_s, windows.step_s))
            if count > MOST_WINDOWS:
                raise RecordingError(
                    f"{count:,} windows, but this service predicts at most {MOST_WINDOWS:,} of a recording; "
                    "choose a longer step"
                )
            found = list(self.ensemble.timeline(content, windows.window_s, windows.step_s))
        notes += [found[0].note] if found and found[0].note else []
        return Heard(tuple(found), tuple(notes), duration_s)
