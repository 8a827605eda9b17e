"""Predictions of one side, clip by clip, and the file that stores them: a table that people can open.

``predictions.csv`` has one row per clip and one column per class::

    clip_id,view,dataset,speaker,gender,true,predicted,angry,disgust,…
    ravdess/03-01-05-01-01-01-11,0,ravdess,ravdess/11,male,angry,angry,0.8134217,0.021763,…

Every metric can be computed from it again, to the last bit: probabilities are float32, written with enough
digits to read back the same values. No torch.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.errors import RunError
from schemas.files.regular_file import read_regular_file

_COLUMNS = ("clip_id", "view", "dataset", "speaker", "gender", "true", "predicted")

_TOLERANCE = 1e-3
"""Largest deviation from 1 of a clip's sum of probabilities: float32 rounding stays far below."""

MOST_BYTES = 2**28
"""About two million clips."""

AGAIN = "write them again with ser-train --resume RUN"


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of a model for clips, and the clips' labels.

    ``clip_id``, ``dataset``, ``speaker`` and ``gender`` name each clip as the manifest does; ``view``
    (clips,) int64 is the view that was heard, 0 the original; ``true`` (clips,) int64 are class indices;
    ``probabilities`` (clips, classes) float32 sum to 1 in each row. Raises :class:`RunError` if these do not
    fit together.
    """

    classes: tuple[str, ...]
    clip_id: tuple[str, ...]
    view: NDArray[np.int64]
    dataset: tuple[str, ...]
    speaker: tuple[str, ...]
    gender: tuple[str, ...]
    true: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    def __post_init__(self) -> None:
        if problem := _problem(self):
            raise RunError(f"invalid predictions: {problem}; {AGAIN}")

    def __len__(self) -> int:
        return len(self.clip_id)

    @classmethod
    def of(
        cls,
        classes: Sequence[str],
        clips: pd.DataFrame,
        view: NDArray[np.int64],
        true: NDArray[np.int64],
        probabilities: NDArray[np.float64] | NDArray[np.float32],
    ) -> Predictions:
        """Predictions for rows of the manifest, in their order; probabilities are rounded to float32."""
        return cls(
            classes=tuple(classes),
            view=view,
            true=true,
            probabilities=probabilities.astype(np.float32),
            clip_id=tuple(clips["clip_id"].astype(str)),
            dataset=tuple(clips["dataset"].astype(str)),
            speaker=tuple(clips["speaker"].astype(str)),
            gender=tuple(clips["gender"].astype(str)),
        )

    @classmethod
    def join(cls, parts: Sequence[Predictions]) -> Predictions:
        """Join the clips of ``parts``, at least one, in their order.

        Raises :class:`RunError` if the parts differ in their classes or share a clip.
        """
        for part in parts:
            if part.classes != parts[0].classes:
                raise RunError(
                    f"predictions of {', '.join(part.classes)} cannot be joined with those of "
                    f"{', '.join(parts[0].classes)}; train all folds with the same labels"
                )
        heard = [clip for part in parts for clip in part.heard]
        if twice := [clip for clip, count in Counter(heard).items() if count > 1]:
            raise RunError(
                f"{twice[0][0]} is tested in two folds, so they cannot be pooled; give each fold once"
            )
        return cls(
            classes=parts[0].classes,
            view=np.concatenate([part.view for part in parts]),
            true=np.concatenate([part.true for part in parts]),
            probabilities=np.concatenate([part.probabilities for part in parts]),
            clip_id=tuple(text for part in parts for text in part.clip_id),
            dataset=tuple(text for part in parts for text in part.dataset),
            speaker=tuple(text for part in parts for text in part.speaker),
            gender=tuple(text for part in parts for text in part.gender),
        )

    @classmethod
    def average(cls, parts: Sequence[Predictions], weights: Sequence[float] | None = None) -> Predictions:
        """Average the predictions of ``parts``, at least one, for the same clips, in the order of the first.

        ``weights`` : one per part, with a sum of 1; None: all are equal.
        Raises :class:`RunError` if they differ in their classes, their clips, or the label of a clip.
        """
        first = parts[0]
        order = {clip: row for row, clip in enumerate(first.heard)}
        total = np.zeros(first.probabilities.shape)
        shares = [1.0] * len(parts) if weights is None else weights
        for part, share in zip(parts, shares, strict=True):
            if part.classes != first.classes:
                raise RunError(
                    f"{', '.join(part.classes)} and {', '.join(first.classes)} cannot be averaged; give "
                    "models with the same labels"
                )
            if {*part.heard} != {*order}:
                raise RunError("these models were tested on different clips; train them on the same split")
            rows = [order[clip] for clip in part.heard]
            if not np.array_equal(first.true[rows], part.true):
                raise RunError("these models have different labels for a clip; train them again")
            total[rows] += share * part.probabilities.astype(np.float64)
        return replace(first, probabilities=(total / sum(shares)).astype(np.float32))

    @property
    def heard(self) -> list[tuple[str, int]]:
        """Clip and view of each row."""
        return list(zip(self.clip_id, self.view.tolist(), strict=True))

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(clips,) index of the most probable class, the first of equals."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Corpus, gender and speaker of each clip, for :func:`training.metrics.evaluation.evaluate`."""
        return {"corpus": self.dataset, "gender": self.gender, "speaker": self.speaker}

    def to_csv(self) -> str:
        """Content of ``predictions.csv``."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow((*_COLUMNS, *self.classes))
        names = np.array(self.classes, dtype=object)
        writer.writerows(
            (*named, *digits)
            for *named, digits in zip(
                self.clip_id,
                self.view.tolist(),
                self.dataset,
                self.speaker,
                self.gender,
                names[self.true],
                names[self.predicted],
                self.probabilities.astype(str).tolist(),
                strict=True,
            )
        )
        return text.getvalue()

    @classmethod
    def from_csv(cls, text: str, name: str = "predictions.csv") -> Predictions:
        """Predictions of :meth:`to_csv`'s text; ``name`` is the file's, for messages.

        Raises :class:`RunError` for anything else, and if ``predicted`` is not the most probable class.
        """
        try:
            return cls._parse(text)
        except (ValueError, OverflowError, csv.Error) as error:
            raise RunError(f"{name}: invalid predictions: {error}; {AGAIN}") from error
        except RunError as error:
            raise RunError(f"{name}: {error}") from error

    @classmethod
    def read(cls, path: Path) -> Predictions:
        """Read predictions from a file. Raises :class:`RunError` if it cannot be read or holds none."""
        try:
            text = read_regular_file(path, MOST_BYTES).decode()
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror or error}; {AGAIN}") from error
        except UnicodeDecodeError as error:
            raise RunError(f"{path} is not a UTF-8 text file; {AGAIN}") from error
        return cls.from_csv(text, str(path))

    @classmethod
    def _parse(cls, text: str) -> Predictions:
        header, *rows = [*csv.reader(io.StringIO(text, newline=""), strict=True)] or [[]]
        classes = tuple(header[len(_COLUMNS) :])
        if tuple(header[: len(_COLUMNS)]) != _COLUMNS or not classes:
            raise ValueError(f"the columns are not {', '.join(_COLUMNS)} and the classes")
        for number, row in enumerate(rows, 2):
            if len(row) != len(header):
                raise ValueError(f"row {number} has {len(row)} cells instead of {len(header)}")
        cells = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=False)) if rows else {}
        found = cls(
            classes=classes,
            view=np.array([int(cell) for cell in cells.get("view", ())], dtype=np.int64),
            true=_indices(cells.get("true", ()), classes),
            probabilities=np.array(
                [[float(cell) for cell in row[len(_COLUMNS) :]] for row in rows], dtype=np.float32
            ).reshape(len(rows), len(classes)),
            clip_id=cells.get("clip_id", ()),
            dataset=cells.get("dataset", ()),
            speaker=cells.get("speaker", ()),
            gender=cells.get("gender", ()),
        )
        stray = np.flatnonzero(found.predicted != _indices(cells.get("predicted", ()), classes))
        if len(stray):
            raise ValueError(f"{found.clip_id[stray[0]]} is not predicted as its most probable class")
        return found


def _indices(names: Sequence[str], classes: tuple[str, ...]) -> NDArray[np.int64]:
    index_of = {name: i for i, name in enumerate(classes)}
    for name in names:
        if name not in index_of:
            raise ValueError(f"'{name}' is not one of the classes {', '.join(classes)}")
    return np.array([index_of[name] for name in names], dtype=np.int64)


def _problem(found: Predictions) -> str | None:
    """What is wrong with ``found``; None if nothing."""
    clips, classes = len(found.clip_id), len(found.classes)
    if len(set(found.classes)) < classes:
        return f"a class is named twice among {', '.join(found.classes)}"
    columns = {
        "dataset": len(found.dataset),
        "speaker": len(found.speaker),
        "gender": len(found.gender),
        "view": len(found.view),
        "true": len(found.true),
    }
    for column, values in columns.items():
        if values != clips:
            return f"{column} has {values} values for {clips} clips"
    if found.probabilities.shape != (clips, classes):
        return f"probabilities of shape {found.probabilities.shape} for {clips} clips and {classes} classes"
    if found.probabilities.dtype != np.float32:
        return f"probabilities are {found.probabilities.dtype} instead of float32"
    if ((found.true < 0) | (found.true >= classes)).any():
        return f"a class index is outside 0 to {classes - 1}"
    if (found.view < 0).any():
        return "a view index is negative"
    # NaN fails both tests.
    right = (found.probabilities >= 0).all(axis=1)
    right &= np.abs(found.probabilities.sum(axis=1, dtype=np.float64) - 1) <= _TOLERANCE
    if not right.all():
        return f"the probabilities of {found.clip_id[int(right.argmin())]} do not sum to 1"
    heard = Counter(found.heard)
    return next((f"{clip} is listed twice" for (clip, _), count in heard.items() if count > 1), None)
