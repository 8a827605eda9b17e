"""Predicts windows of a sound while it arrives: from a microphone, a browser or a network connection.

::

    samples ──▶ feed ──▶ resample exactly as a file ──▶ windows that are complete ──▶ predictions
                finish ──▶ the last window, which ends with the sound ──▶ predictions

All windows together are those of ``ser-predict --window`` for a file of the same sound, to the last digit.
:meth:`training.predict.ensemble.Ensemble.stream` opens a stream.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import numpy as np

from pipelines.decode import SILENCE_PEAK
from schemas.segmentation import Windows
from schemas.spec import AudioSpec
from training.predict.predictor import Prediction
from training.predict.windows import LiveSound, Span, Waveform, spans

_ROUNDING = 1e-9

PredictWindow = Callable[[Span, Sequence[Waveform | None]], Prediction]
"""From a window's span and its samples, one array (n,) float32 per pipeline or None for silence."""


class WindowStream:
    """A live sound and the predictions of its windows. Use it in one thread at a time.

    ``rate`` : of the samples that will be fed, Hz. ``audios`` : of each pipeline that hears the sound.
    ``longest_s`` : longest window that the model hears. Memory holds this many seconds, and the last block.

    Attributes
    ----------
    windows : length and step of the windows; see :meth:`change`.
    quietest : a window is silent if no sample reaches this absolute value (full scale is 1).
    patience_s : complete windows that ended more than this many seconds before the last sample are skipped,
        except the last complete one. A caller that feeds everything that arrived while the model was busy
        thereby stays close to the present. Infinite by default: nothing is skipped.
    skipped : number of windows skipped so far.
    """

    def __init__(
        self,
        rate: int,
        audios: Sequence[AudioSpec],
        windows: Windows,
        longest_s: float,
        predict: PredictWindow,
    ) -> None:
        self.windows = windows
        self.quietest = SILENCE_PEAK
        self.patience_s = math.inf
        self.skipped = 0
        self._rate = rate
        self._longest_s = longest_s
        self._shortest_s = max(audio.min_duration_s for audio in audios)
        self._predict = predict
        self._sounds = [LiveSound(rate, audio) for audio in audios]
        self._samples = 0
        self._next = 0
        self._stop_s = 0.0

    @property
    def heard_s(self) -> float:
        """Seconds of sound fed so far."""
        return self._samples / self._rate

    def feed(self, samples: Waveform) -> Iterator[Prediction]:
        """Add the next samples (n,) float32 mono of any number, and predict the windows that are complete.

        The samples are added at once; each window is predicted when the iterator reaches it. Exhaust it
        before the next call. Samples must be finite.
        """
        self._samples += len(samples)
        for sound in self._sounds:
            sound.add(samples)
        return self._due()

    def finish(self) -> Iterator[Prediction]:
        """End the sound, and predict the remaining windows, the last of which ends with the sound.

        Nothing is predicted for a sound that is too short for the model. Call it once, after the last feed.
        """
        if self.heard_s < self._shortest_s:
            return
        for sound in self._sounds:
            sound.add(np.zeros(0, dtype=np.float32), last=True)
        for span in spans(self.heard_s, self.windows.window_s, self.windows.step_s)[self._next :]:
            yield self._predict_window(span)

    def change(self, windows: Windows) -> None:
        """Cut other windows from now on: those of the whole sound that end after the last predicted window.

        Windows that begin in samples that are no longer held are left out.
        """
        self.windows = windows
        first_s = max((sound.first_s for sound in self._sounds), default=0.0)
        after = (self._stop_s - windows.window_s + _ROUNDING) / windows.step_s
        held = (first_s - _ROUNDING) / windows.step_s
        self._next = max(0, math.floor(after) + 1 if self._stop_s else 0, math.ceil(held))

    def _due(self) -> Iterator[Prediction]:
        complete = list(self._complete())
        for span in complete:
            self._next += 1
            if span is not complete[-1] and span[1] < self.heard_s - self.patience_s:
                self.skipped += 1
            else:
                yield self._predict_window(span)
        begin_s = min(self._next * self.windows.step_s, self.heard_s - self._longest_s)
        for sound in self._sounds:
            sound.discard(begin_s)

    def _complete(self) -> Iterator[Span]:
        """Windows all samples of which have arrived; the resampler holds some milliseconds back."""
        for n in count(self._next):
            start_s = n * self.windows.step_s
            stop_s = start_s + self.windows.window_s
            if stop_s > self.heard_s + _ROUNDING or not all(each.reaches(stop_s) for each in self._sounds):
                return
            yield start_s, stop_s

    def _predict_window(self, span: Span) -> Prediction:
        self._stop_s = span[1]
        return self._predict(span, [sound.window(span, self.quietest) for sound in self._sounds])
