"""Predicted values of one side, clip by clip, and the file that stores them: a table that people can open.

``predictions.csv`` of a regression has one row per clip and two columns per dimension::

    clip_id,view,dataset,speaker,gender,true_valence,predicted_valence,true_arousal,predicted_arousal
    mine/anna_01,0,mine,mine/anna,female,3.5,3.2189834,2.0,2.401372

Every metric can be computed from it again, to the last bit: predicted values are float32, true values
float64, written with enough digits to read back the same values. No torch.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.errors import RunError
from schemas.files.regular_file import read_regular_file
from training.metrics.predictions import AGAIN, MOST_BYTES

_COLUMNS = ("clip_id", "view", "dataset", "speaker", "gender")

_TRUE, _PREDICTED = "true_", "predicted_"


@dataclass(frozen=True, eq=False)
class ValuePredictions:
    """Values that a regression predicts for clips, and the clips' true values.

    ``names`` are the dimensions. ``clip_id``, ``dataset``, ``speaker`` and ``gender`` name each clip as the
    manifest does; ``view`` (clips,) int64 is the view that was heard, 0 the original; ``true`` (clips,
    dimensions) float64 and ``predicted`` (clips, dimensions) float32 are in the manifest's units. Raises
    :class:`RunError` if these do not fit together.
    """

    names: tuple[str, ...]
    clip_id: tuple[str, ...]
    view: NDArray[np.int64]
    dataset: tuple[str, ...]
    speaker: tuple[str, ...]
    gender: tuple[str, ...]
    true: NDArray[np.float64]
    predicted: NDArray[np.float32]

    def __post_init__(self) -> None:
        if problem := _problem(self):
            raise RunError(f"invalid predictions: {problem}; {AGAIN}")

    def __len__(self) -> int:
        return len(self.clip_id)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        clips: pd.DataFrame,
        view: NDArray[np.int64],
        true: NDArray[np.float64],
        predicted: NDArray[np.float64],
    ) -> ValuePredictions:
        """Predictions for rows of the manifest, in their order; predicted values are rounded to float32."""
        return cls(
            names=tuple(names),
            clip_id=tuple(clips["clip_id"].astype(str)),
            view=view,
            dataset=tuple(clips["dataset"].astype(str)),
            speaker=tuple(clips["speaker"].astype(str)),
            gender=tuple(clips["gender"].astype(str)),
            true=true,
            predicted=predicted.astype(np.float32),
        )

    @classmethod
    def join(cls, parts: Sequence[ValuePredictions]) -> ValuePredictions:
        """Join the clips of ``parts``, at least one, in their order.

        Raises :class:`RunError` if the parts differ in their dimensions or share a clip.
        """
        for part in parts:
            if part.names != parts[0].names:
                raise RunError(
                    f"predictions of {', '.join(part.names)} cannot be joined with those of "
                    f"{', '.join(parts[0].names)}; train all folds with the same dimensions"
                )
        heard = Counter(clip for part in parts for clip in part.heard)
        if twice := [clip for (clip, _), count in heard.items() if count > 1]:
            raise RunError(
                f"{twice[0]} is tested in two folds, so they cannot be pooled; give each fold once"
            )
        return cls(
            names=parts[0].names,
            clip_id=tuple(text for part in parts for text in part.clip_id),
            view=np.concatenate([part.view for part in parts]),
            dataset=tuple(text for part in parts for text in part.dataset),
            speaker=tuple(text for part in parts for text in part.speaker),
            gender=tuple(text for part in parts for text in part.gender),
            true=np.concatenate([part.true for part in parts]),
            predicted=np.concatenate([part.predicted for part in parts]),
        )

    @property
    def heard(self) -> list[tuple[str, int]]:
        """Clip and view of each row."""
        return list(zip(self.clip_id, self.view.tolist(), strict=True))

    def to_csv(self) -> str:
        """Content of ``predictions.csv``."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        pairs = [f"{kind}{name}" for name in self.names for kind in (_TRUE, _PREDICTED)]
        writer.writerow((*_COLUMNS, *pairs))
        for *named, true, predicted in zip(
            self.clip_id,
            self.view.tolist(),
            self.dataset,
            self.speaker,
            self.gender,
            self.true.tolist(),
            self.predicted.astype(str).tolist(),
            strict=True,
        ):
            cells = (cell for pair in zip(map(repr, true), predicted, strict=True) for cell in pair)
            writer.writerow((*named, *cells))
        return text.getvalue()

    @classmethod
    def read(cls, path: Path) -> ValuePredictions:
        """Read predictions from a file. Raises :class:`RunError` if it cannot be read or holds none."""
        try:
            return cls._parse(read_regular_file(path, MOST_BYTES).decode())
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror or error}; {AGAIN}") from error
        except UnicodeDecodeError as error:
            raise RunError(f"{path} is not a UTF-8 text file; {AGAIN}") from error
        except (ValueError, OverflowError, csv.Error) as error:
            raise RunError(f"{path}: invalid predictions: {error}; {AGAIN}") from error
        except RunError as error:
            raise RunError(f"{path}: {error}") from error

    @classmethod
    def _parse(cls, text: str) -> ValuePredictions:
        header, *rows = [*csv.reader(io.StringIO(text, newline=""), strict=True)] or [[]]
        first = len(_COLUMNS)
        names = tuple(column.removeprefix(_TRUE) for column in header[first::2])
        pairs = [f"{kind}{name}" for name in names for kind in (_TRUE, _PREDICTED)]
        if not names or header != [*_COLUMNS, *pairs]:
            raise ValueError(f"the columns are not {', '.join(_COLUMNS)} and pairs of values")
        for number, row in enumerate(rows, 2):
            if len(row) != len(header):
                raise ValueError(f"row {number} has {len(row)} cells instead of {len(header)}")
        cells = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=False)) if rows else {}
        shape = (len(rows), len(names))
        return cls(
            names=names,
            clip_id=cells.get("clip_id", ()),
            view=np.array([int(cell) for cell in cells.get("view", ())], dtype=np.int64),
            dataset=cells.get("dataset", ()),
            speaker=cells.get("speaker", ()),
            gender=cells.get("gender", ()),
            true=np.array([[float(cell) for cell in row[first::2]] for row in rows]).reshape(shape),
            predicted=np.array(
                [[float(cell) for cell in row[first + 1 :: 2]] for row in rows], dtype=np.float32
            ).reshape(shape),
        )


def _problem(found: ValuePredictions) -> str | None:
    """What is wrong with ``found``; None if nothing."""
    clips = len(found.clip_id)
    if len(set(found.names)) < len(found.names):
        return f"a dimension is named twice among {', '.join(found.names)}"
    columns = {
        "dataset": len(found.dataset),
        "speaker": len(found.speaker),
        "gender": len(found.gender),
        "view": len(found.view),
    }
    for column, count in columns.items():
        if count != clips:
            return f"{column} has {count} values for {clips} clips"
    for what, values in (("true", found.true), ("predicted", found.predicted)):
        if values.shape != (clips, len(found.names)):
            return f"{what} values of shape {values.shape} for {clips} clips of {len(found.names)} dimensions"
        finite = np.isfinite(values).all(axis=1)
        if not finite.all():
            return f"a {what} value of {found.clip_id[int(finite.argmin())]} is not a finite number"
    if (found.view < 0).any():
        return "a view index is negative"
    heard = Counter(found.heard)
    return next((f"{clip} is listed twice" for (clip, _), count in heard.items() if count > 1), None)
