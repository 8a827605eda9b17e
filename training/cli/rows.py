"""What ``ser-predict`` prints: a row a prediction as it comes, CSV likewise, or one JSON document."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from typing import Any, Protocol, TextIO

from training.predict.predictor import Prediction


class Rows(Protocol):
    """Takes predictions in the order in which they come."""

    def prediction(self, name: str, prediction: Prediction) -> None:
        """What was heard in a part of the recording ``name``."""

    def problem(self, name: str, problem: str) -> None:
        """Why the recording ``name`` has none."""

    def finish(self) -> None:
        """Nothing follows."""


class TextRows:
    """Columns for a terminal. The name of a clip comes last: its width is not known before."""

    def __init__(self, stream: TextIO, emotions: Sequence[str]) -> None:
        self._stream = stream
        self._width = max(map(len, (*emotions, "silence")))
        self._begun = False

    def prediction(self, name: str, prediction: Prediction) -> None:
        """See :class:`Rows`."""
        if not self._begun:
            self._row("from", "to", "emotion", "probability", "runner-up", "clip")
            self._begun = True
        span = (f"{prediction.start_s:.1f} s", f"{prediction.stop_s:.1f} s")
        ranked = prediction.ranked
        if not ranked:
            self._row(*span, "silence", "", "", name)
            return
        (first, probability), *others = ranked
        second = f"{others[0][0]} {100 * others[0][1]:.0f} %" if others else ""
        self._row(*span, first, f"{100 * probability:.0f} %", second, name)

    def problem(self, name: str, problem: str) -> None:
        """See :class:`Rows`; it is told on standard error."""

    def finish(self) -> None:
        """See :class:`Rows`."""

    def _row(self, start: str, stop: str, emotion: str, share: str, second: str, name: str) -> None:
        width = self._width
        row = f"{start:>8}  {stop:>8}  {emotion:<{width}}  {share:>11}  {second:<{width + 6}}  {shown(name)}"
        self._stream.write(f"{row}\n")
        self._stream.flush()


class CsvRows:
    """Every emotion's probability; empty where there is silence."""

    def __init__(self, stream: TextIO, emotions: Sequence[str]) -> None:
        self._stream, self._emotions = stream, tuple(emotions)
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(("clip", "start_s", "stop_s", "emotion", "probability", *emotions))
        stream.flush()

    def prediction(self, name: str, prediction: Prediction) -> None:
        """See :class:`Rows`."""
        row = (_writable(name), f"{prediction.start_s:.3f}", f"{prediction.stop_s:.3f}")
        if prediction.probabilities is None:
            self._writer.writerow((*row, "silence", "", *[""] * len(self._emotions)))
        else:
            emotion, probability = prediction.ranked[0]
            each = (f"{value:.6f}" for value in prediction.probabilities)
            self._writer.writerow((*row, emotion, f"{probability:.6f}", *each))
        self._stream.flush()

    def problem(self, name: str, problem: str) -> None:
        """See :class:`Rows`; it is told on standard error."""

    def finish(self) -> None:
        """See :class:`Rows`."""


JSON_FORMAT = 1
"""Of :class:`JsonRows`' document. Fields may be added to it; where one changes or goes, the number does."""


class JsonRows:
    """One document, at the end: models and what they are worth, emotions, clips with their predictions."""

    def __init__(self, stream: TextIO, emotions: Sequence[str], models: Sequence[dict[str, object]]) -> None:
        self._stream = stream
        self._values = {"format": JSON_FORMAT, "models": list(models), "emotions": list(emotions)}
        self._clips: dict[str, dict[str, Any]] = {}

    def prediction(self, name: str, prediction: Prediction) -> None:
        """See :class:`Rows`."""
        ranked = prediction.ranked
        self._clip(name)["predictions"].append(
            {
                "start_s": prediction.start_s,
                "stop_s": prediction.stop_s,
                "unheard_s": prediction.unheard_s,
                "emotion": ranked[0][0] if ranked else None,
                "probabilities": dict(ranked) if ranked else None,
            }
        )

    def problem(self, name: str, problem: str) -> None:
        """See :class:`Rows`."""
        self._clip(name)["problem"] = problem

    def finish(self) -> None:
        """See :class:`Rows`."""
        values = {**self._values, "clips": list(self._clips.values())}
        self._stream.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        self._stream.flush()

    def _clip(self, name: str) -> dict[str, Any]:
        written = _writable(name)
        return self._clips.setdefault(name, {"clip": written, "problem": None, "predictions": []})


def shown(name: str) -> str:
    """A file's name for a terminal: what would move its cursor or colour it is spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _writable(name: str) -> str:
    """A file's name as UTF-8, bytes of other encodings spelt out."""
    return name.encode("utf-8", "backslashreplace").decode()
