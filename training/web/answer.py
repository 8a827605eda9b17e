"""What is said of one recording: of a clip what it sounds like, of a longer one that of its windows too.

::

    sound ─┬▶ at most what the model hears at once ──▶ one prediction
           └▶ longer ──▶ windows ──▶ their mean, the timeline, and the one that the model is surest of
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from schemas.errors import RecordingError
from training.predict.predictor import Prediction, Predictor
from training.web.hearing import HeardClip, Sound, bounds
from training.web.limits import Limits
from training.web.uploads import Upload

MUCH_S = 0.5
"""Sound behind what the model hears that makes a recording a long one, from here."""

_MOST_WINDOWS = 600

_STEP_S = 1.0


@dataclass(frozen=True, eq=False)
class DemoAnswer:
    """What is said of a recording called ``name``."""

    name: str
    sound: Sound
    ranked: tuple[tuple[str, float], ...]
    """Emotions and their probabilities, the most probable first; of a long recording their mean."""
    heard: HeardClip
    """The clip that was told, or the window that the model is surest of."""
    windows: tuple[Prediction, ...] = ()
    """Of a long recording, in order; else none."""
    emotions: tuple[str, ...] = ()
    """In the model's order."""

    @property
    def silent(self) -> int:
        """Windows in which nothing is heard."""
        return sum(window.probabilities is None for window in self.windows)


def answer(predictor: Predictor, upload: Upload, limits: Limits) -> DemoAnswer:
    """What ``predictor`` says of an upload.

    Raises :class:`RecordingError` for a file that is no recording, silent, or longer than ``limits`` allow.
    """
    sound = Sound.of(upload.content, predictor.spec, limits)
    if _is_long(predictor, sound):
        return _of_windows(predictor, upload, sound)
    told = predictor.predict(upload.content)
    return DemoAnswer(
        upload.name, sound, tuple(told.ranked), HeardClip.of(predictor, sound), (), predictor.emotions
    )


def _is_long(predictor: Predictor, sound: Sound) -> bool:
    start, stop = bounds(sound, predictor.spec)
    unheard_s = (stop - start) / sound.rate - predictor.window_s
    return unheard_s > MUCH_S or sound.duration_s > predictor.spec.audio.max_duration_s


def _of_windows(predictor: Predictor, upload: Upload, sound: Sound) -> DemoAnswer:
    step_s = max(_STEP_S, sound.duration_s / _MOST_WINDOWS)
    windows = tuple(predictor.timeline(upload.content, step_s=step_s))
    told = [window for window in windows if window.probabilities is not None]
    if not told:
        raise RecordingError("silent: there is no window with sound in it")
    surest = max(told, key=lambda window: window.ranked[0][1])
    part = sound.part(surest.start_s, surest.stop_s)
    return DemoAnswer(
        upload.name,
        sound,
        _mean(told, predictor.emotions),
        HeardClip.of(predictor, part, surest.start_s),
        windows,
        predictor.emotions,
    )


def _mean(windows: Sequence[Prediction], emotions: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Mean probability of each emotion over ``windows`` with sound, the most probable first."""
    mean = np.mean([window.probabilities for window in windows if window.probabilities is not None], axis=0)
    order = np.argsort(-mean, kind="stable")
    return tuple((emotions[i], float(mean[i])) for i in order)
