"""What ``ser-predict`` listens to: recordings one after another, or the microphone until it is stopped."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from featurestore.cli.console import err, note
from schemas.errors import RecordingError
from schemas.messages.counts import choose_form, format_count
from schemas.messages.printable import escape_line
from schemas.segmentation import NO_SPEECH, Windows
from training.cli.recordings import read_recording
from training.cli.rows import PredictionWriter

if TYPE_CHECKING:
    from pipelines.speech import SpeechDetector
    from training.predict.ensemble import Ensemble
    from training.predict.predictor import Prediction

MICROPHONE = "microphone"
"""Name of its sound in the output."""

_LONGEST_UNHEARD_S = 0.5
"""Longest end of a recording that the model may leave out without a note."""


def hear_recordings(
    model: Ensemble,
    writer: PredictionWriter,
    names: Sequence[str],
    parts: Windows | SpeechDetector | None,
    advance: Callable[[int], None],
) -> int:
    """Write predictions for each recording; returns how many could not be read.

    ``parts``: what is predicted: windows, segments of speech, or whole recordings (None).
    """
    failed = 0
    for name in names:
        answers = 0
        for found in _predict_or_explain(model, name, parts):
            answers += 1
            if isinstance(found, str):
                failed += 1
                err.print(f"{escape_line(name)}: {escape_line(found)}", markup=False)
                writer.write_problem(name, found)
            else:
                writer.write_prediction(name, found)
        if not answers:
            note(f"{name}: {NO_SPEECH}")
            writer.write_problem(name, NO_SPEECH)
        advance(1)
    return failed


def hear_microphone(
    model: Ensemble, writer: PredictionWriter, window: float | None, step: float, seconds: float | None
) -> None:
    """Write predictions for the microphone, until Ctrl-C or for this many seconds."""
    from training.predict.microphone import microphone

    with microphone() as heard, _catch_ctrl_c() as is_stopped:
        err.print(f"listening at {heard.rate} Hz{'' if seconds else '; press Ctrl-C to stop'}", markup=False)
        blocks = heard.blocks(is_stopped, seconds, _report_loss)
        for prediction in model.listen(blocks, heard.rate, window, step):
            writer.write_prediction(MICROPHONE, prediction)
    writer.finish()


def _predict_or_explain(
    model: Ensemble, name: str, parts: Windows | SpeechDetector | None
) -> Iterator[Prediction | str]:
    """Predictions for a recording; at the end, why it cannot be read, if it cannot."""
    try:
        yield from _predict(model, name, parts)
    except RecordingError as error:
        yield str(error)
    except OSError as error:
        yield f"cannot be read: {error.strerror or error}"
    except MemoryError:
        yield "needs more memory than is free; give a shorter recording, or free memory"


def _predict(model: Ensemble, name: str, parts: Windows | SpeechDetector | None) -> Iterator[Prediction]:
    from training.predict.predictor import TooLongError

    file = read_recording(name)
    if isinstance(parts, Windows):
        return _note_first(name, model.timeline(file, parts.window_s, parts.step_s))
    if parts is not None:
        return _note_unheard(name, model, _note_first(name, model.predict_speech(file, parts)))
    window = _format_window(model.window_s)
    try:
        prediction = model.predict(file)
    except TooLongError as error:
        note(
            f"{name}: {error.duration_s:.6g} s long, but one prediction covers at most "
            f"{error.longest_s:g} s; predicting windows of {window} s, one per second, as --window {window} "
            f"does"
        )
        return _note_first(name, model.timeline(file))
    note_unheard_end(name, model, prediction, f"Use --window {window} to hear all of it")
    return iter([prediction])


def note_unheard_end(name: str, model: Ensemble, prediction: Prediction, step: str) -> None:
    """Print the note on a recording, and what to do (``step``) if the model does not hear its end."""
    _print_note(name, prediction)
    if prediction.unheard_s > _LONGEST_UNHEARD_S:
        window = _format_window(model.window_s)
        note(
            f"{name}: the model hears the first {window} s; the remaining {prediction.unheard_s:.3g} s are "
            f"left out. {step}"
        )


def _note_first(name: str, found: Iterator[Prediction]) -> Iterator[Prediction]:
    for place, prediction in enumerate(found):
        if not place:
            _print_note(name, prediction)
        yield prediction


def _note_unheard(name: str, model: Ensemble, found: Iterator[Prediction]) -> Iterator[Prediction]:
    """The predictions of segments; a note follows if the model does not hear all of some."""
    every = longer = 0
    for prediction in found:
        every += 1
        longer += prediction.unheard_s > _LONGEST_UNHEARD_S
        yield prediction
    if longer:
        window = _format_window(model.window_s)
        note(
            f"{name}: the model hears the first {window} s of a segment, and {longer:,} of "
            f"{format_count(every, 'segment')} {choose_form(longer, 'is', 'are')} longer. "
            f"Use --segment {window},1 to hear all of it"
        )


def _print_note(name: str, prediction: Prediction) -> None:
    if prediction.note:
        note(f"{name}: {prediction.note}")


def _format_window(seconds: float) -> str:
    """The longest window that ``--window`` accepts, in hundredths of a second."""
    return f"{math.floor(100 * seconds + 1e-6) / 100:g}"


def _report_loss(second: float) -> None:
    note(f"sound was lost at {second:.1f} s: this machine is too busy")


@contextmanager
def _catch_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Yield whether Ctrl-C was pressed: once ends the sound but keeps its predictions, twice stops."""
    pressed = False
    before = signal.getsignal(signal.SIGINT)

    def press(number: int, frame: object) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
