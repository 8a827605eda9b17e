"""What ``ser-predict`` prints: one row per prediction as it comes, as text or CSV, or one JSON document."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from featurestore.cli.console import json_text
from schemas.messages.printable import escape_line
from training.predict.json_rows import JSON_FORMAT, ClipJson, prediction_json, utf8_name

if TYPE_CHECKING:
    from training.predict.predictor import Prediction  # takes seconds to import
    from training.predict.worth import ValueWorthJson, WorthJson


class PredictionWriter(Protocol):
    """Writes predictions in the order in which they come."""

    def write_prediction(self, name: str, prediction: Prediction) -> None:
        """Write what was heard in a part of the recording ``name``."""

    def write_problem(self, name: str, problem: str) -> None:
        """Write why the recording ``name`` has no prediction."""

    def write_explanation(self, name: str, picture: Path, effects: dict[str, Any]) -> None:
        """Write which picture explains the prediction for ``name``, and the effects that it shows."""

    def finish(self) -> None:
        """Write the rest of the output; no more predictions follow."""


class TextWriter:
    """Columns for a terminal. The clip's name comes last, because its width is not known in advance."""

    def __init__(self, stream: TextIO, emotions: Sequence[str]) -> None:
        self._stream = stream
        self._width = max(map(len, (*emotions, "silence")))
        self._has_header = False

    def write_prediction(self, name: str, prediction: Prediction) -> None:
        """Write one line, after the header if it is the first."""
        if not self._has_header:
            self._write_row("from", "to", "emotion", "probability", "runner-up", "clip")
            self._has_header = True
        span = (f"{prediction.start_s:.1f} s", f"{prediction.stop_s:.1f} s")
        ranked = prediction.ranked
        if not ranked:
            self._write_row(*span, "silence", "", "", name)
            return
        (first, probability), *others = ranked
        second = f"{others[0][0]} {100 * others[0][1]:.0f} %" if others else ""
        self._write_row(*span, first, f"{100 * probability:.0f} %", second, name)

    def write_problem(self, name: str, problem: str) -> None:
        """Leave the problem to the command, which reports it on standard error."""

    def write_explanation(self, name: str, picture: Path, effects: dict[str, Any]) -> None:
        """Leave the picture to the command, which names it on standard error."""

    def finish(self) -> None:
        """End the table: every line has been written."""

    def _write_row(self, start: str, stop: str, emotion: str, share: str, second: str, name: str) -> None:
        width, clip = self._width, escape_line(name)
        row = f"{start:>8}  {stop:>8}  {emotion:<{width}}  {share:>11}  {second:<{width + 6}}  {clip}"
        self._stream.write(f"{row}\n")
        self._stream.flush()


class ValueTextWriter:
    """Columns for a terminal: the value of every dimension of a regression."""

    def __init__(self, stream: TextIO, dimensions: Sequence[str]) -> None:
        self._stream, self._dimensions = stream, tuple(dimensions)
        self._has_header = False

    def write_prediction(self, name: str, prediction: Prediction) -> None:
        """Write one line, after the header if it is the first."""
        if not self._has_header:
            self._write_row("from", "to", self._dimensions, "clip")
            self._has_header = True
        span = (f"{prediction.start_s:.1f} s", f"{prediction.stop_s:.1f} s")
        if prediction.values is None:
            self._write_row(*span, ("silence", *[""] * (len(self._dimensions) - 1)), name)
        else:
            self._write_row(*span, [f"{value:#.3g}" for value in prediction.values], name)

    def write_problem(self, name: str, problem: str) -> None:
        """Leave the problem to the command, which reports it on standard error."""

    def write_explanation(self, name: str, picture: Path, effects: dict[str, Any]) -> None:
        """Leave the picture to the command, which names it on standard error."""

    def finish(self) -> None:
        """End the table: every line has been written."""

    def _write_row(self, start: str, stop: str, cells: Sequence[str], name: str) -> None:
        values = "  ".join(f"{cell:>9}" for cell in cells)
        self._stream.write(f"{start:>8}  {stop:>8}  {values}  {escape_line(name)}\n")
        self._stream.flush()


class ValueCsvWriter:
    """The value of every dimension of a regression; the cells are empty for silence."""

    def __init__(self, stream: TextIO, dimensions: Sequence[str]) -> None:
        self._stream, self._dimensions = stream, tuple(dimensions)
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(("clip", "start_s", "stop_s", *dimensions))
        stream.flush()

    def write_prediction(self, name: str, prediction: Prediction) -> None:
        """Write one row."""
        row = (escape_line(name), f"{prediction.start_s:.3f}", f"{prediction.stop_s:.3f}")
        silent = [""] * len(self._dimensions)
        values = silent if prediction.values is None else [f"{value:.6f}" for value in prediction.values]
        self._writer.writerow((*row, *values))
        self._stream.flush()

    def write_problem(self, name: str, problem: str) -> None:
        """Leave the problem to the command, which reports it on standard error."""

    def write_explanation(self, name: str, picture: Path, effects: dict[str, Any]) -> None:
        """Leave the picture to the command, which names it on standard error."""

    def finish(self) -> None:
        """End the table: every row has been written."""


class CsvWriter:
    """The probability of every emotion; the cells are empty for silence."""

    def __init__(self, stream: TextIO, emotions: Sequence[str]) -> None:
        self._stream, self._emotions = stream, tuple(emotions)
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(("clip", "start_s", "stop_s", "emotion", "probability", *emotions))
        stream.flush()

    def write_prediction(self, name: str, prediction: Prediction) -> None:
        """Write one row."""
        row = (escape_line(name), f"{prediction.start_s:.3f}", f"{prediction.stop_s:.3f}")
        if prediction.probabilities is None:
            self._writer.writerow((*row, "silence", "", *[""] * len(self._emotions)))
        else:
            emotion, probability = prediction.ranked[0]
            each = (f"{value:.6f}" for value in prediction.probabilities)
            self._writer.writerow((*row, emotion, f"{probability:.6f}", *each))
        self._stream.flush()

    def write_problem(self, name: str, problem: str) -> None:
        """Leave the problem to the command, which reports it on standard error."""

    def write_explanation(self, name: str, picture: Path, effects: dict[str, Any]) -> None:
        """Leave the picture to the command, which names it on standard error."""

    def finish(self) -> None:
        """End the table: every row has been written."""


class JsonWriter:
    """One document, at the end: models and how well they were tested, emotions, clips with predictions.

    That of a regression has ``dimensions`` instead of ``emotions``.
    """

    def __init__(
        self,
        stream: TextIO,
        emotions: Sequence[str],
        models: Sequence[WorthJson | ValueWorthJson],
        dimensions: Sequence[str] = (),
    ) -> None:
        self._stream, self._models = stream, list(models)
        self._outputs = {"dimensions": list(dimensions)} if dimensions else {"emotions": list(emotions)}
        self._clips: dict[str, ClipJson] = {}

    def write_prediction(self, name: str, prediction: Prediction) -> None:
        """Keep a prediction for the document."""
        self._clip(name)["predictions"].append(prediction_json(prediction))

    def write_problem(self, name: str, problem: str) -> None:
        """Keep a problem for the document."""
        self._clip(name)["problem"] = problem

    def write_explanation(self, name: str, picture: Path, effects: dict[str, Any]) -> None:
        """Keep the path of a picture, and what it shows, for the document."""
        self._clip(name)["explanation"] = {"picture": utf8_name(str(picture)), **effects}

    def finish(self) -> None:
        """Write the document."""
        document = {
            "format": JSON_FORMAT,
            "models": self._models,
            **self._outputs,
            "clips": list(self._clips.values()),
        }
        self._stream.write(json_text(document) + "\n")
        self._stream.flush()

    def _clip(self, name: str) -> ClipJson:
        return self._clips.setdefault(name, {"clip": utf8_name(name), "problem": None, "predictions": []})
