"""The answer to one recording: one prediction for a clip, and predictions of windows for a longer recording.

::

    sound ─┬▶ not longer than the model's input ──▶ one prediction
           └▶ longer ──▶ windows ──▶ their mean, the timeline, and the window with the highest probability
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from schemas.errors import RecordingError
from training.explain.occlusion import Occlusion, occlude
from training.http.form import Upload
from training.predict.predictor import Prediction, Predictor
from training.web.hearing import HeardClip, Sound, bounds
from training.web.limits import Limits

MUCH_S = 0.5
"""A recording is long if more sound than this follows the part that the model hears."""

_MOST_WINDOWS = 600

_STEP_S = 1.0


@dataclass(frozen=True, eq=False)
class DemoAnswer:
    """Prediction for a recording called ``name``, and everything the page shows with it."""

    name: str
    sound: Sound
    ranked: tuple[tuple[str, float], ...]
    """Emotions and their probabilities, most probable first; the mean of all windows if there are any."""
    heard: HeardClip
    """The clip, or the window with the highest probability."""
    windows: tuple[Prediction, ...] = ()
    """Windows of a long recording, in order; empty for a clip."""
    emotions: tuple[str, ...] = ()
    """In the model's order."""
    occlusion: Occlusion | None = None
    """How the prediction for ``heard`` changes if parts of it are hidden; None: not asked for."""

    @property
    def silent(self) -> int:
        """Number of silent windows."""
        return sum(window.probabilities is None for window in self.windows)


def answer(predictor: Predictor, upload: Upload, limits: Limits, *, explains: bool = False) -> DemoAnswer:
    """Answer an upload with ``predictor``; ``explains``: also hide parts of the sound in turn.

    Raises :class:`RecordingError` if the file is not a recording, is silent, or is longer than ``limits``
    allow.
    """
    sound = Sound.of(upload.content, predictor.spec, limits)
    if _is_long(predictor, sound):
        found = _of_windows(predictor, upload, sound)
    else:
        ranked = tuple(predictor.predict(upload.content).ranked)
        heard = HeardClip.of(predictor, sound)
        found = DemoAnswer(upload.name, sound, ranked, heard, (), predictor.emotions)
    return replace(found, occlusion=_occlude(predictor, found.heard)) if explains else found


def _occlude(predictor: Predictor, heard: HeardClip) -> Occlusion:
    return occlude(predictor, heard.sound.wav()).shift(heard.start_s)


def _is_long(predictor: Predictor, sound: Sound) -> bool:
    start, stop = bounds(sound, predictor.spec)
    unheard_s = (stop - start) / sound.rate - predictor.window_s
    return unheard_s > MUCH_S or sound.duration_s > predictor.spec.audio.max_duration_s


def _of_windows(predictor: Predictor, upload: Upload, sound: Sound) -> DemoAnswer:
    step_s = max(_STEP_S, sound.duration_s / _MOST_WINDOWS)
    windows = tuple(predictor.timeline(upload.content, step_s=step_s))
    audible = [window for window in windows if window.probabilities is not None]
    if not audible:
        raise RecordingError("silent: no window contains sound")
    surest = max(audible, key=lambda window: window.ranked[0][1])
    part = sound.part(surest.start_s, surest.stop_s)
    return DemoAnswer(
        upload.name,
        sound,
        _mean(audible, predictor.emotions),
        HeardClip.of(predictor, part, surest.start_s),
        windows,
        predictor.emotions,
    )


def _mean(windows: Sequence[Prediction], emotions: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Mean probability of each emotion over ``windows`` with sound, most probable first."""
    mean = np.mean([window.probabilities for window in windows if window.probabilities is not None], axis=0)
    order = np.argsort(-mean, kind="stable")
    return tuple((emotions[i], float(mean[i])) for i in order)
