"""Validation of ``split.json``, which may come from an untrusted source: its values and its size."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from featurestore.format.json_limits import require_unique_keys
from schemas.errors import RunError, UsageError
from schemas.files.regular_file import read_regular_file
from schemas.files.text import decode_text
from schemas.model import Model
from schemas.protocol import Protocol
from schemas.recipe import first_problem
from training.splits.side import SIDES, Side

ValidationBy = Literal["speaker", "sentence", "clip"]
"""What validation does not share with training: speakers, or else sentences, or else only the clips."""

_MOST_BYTES = 64 * 2**20
"""About half a million clips; parsed, they take ten times as much memory."""

_MARKS = (b"[", b"{", b'"')
_BYTES_PER_MARK = 4
"""Least average in a large file: a clip with many views takes 7, a clip with its hash 25."""

_MOST_MESSAGE = 300

ClipId = Annotated[str, StringConstraints(min_length=1, max_length=40_000)]
"""As long as a store can hold, with any characters: a store takes the names of files as they are."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]
View = Annotated[int, Field(ge=0, lt=1000)]


class FoldDocument(Model):
    """JSON form of :class:`training.splits.split.Fold`."""

    index: int = Field(ge=1)
    count: int = Field(ge=1, le=10**6)
    name: ClipId

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.index > self.count:
            raise ValueError(f"there is no fold {self.index} of {self.count}")
        return self


class SplitDocument(Model):
    """JSON form of :class:`training.splits.split.Split`."""

    format: Literal[1] = 1
    protocol: Protocol
    fold: FoldDocument | None = None
    seed: int = Field(ge=0, lt=2**63)
    store_digest: str = Field(max_length=100)
    stratified_by: tuple[Literal["dataset", "gender", "emotion"], ...] = Field(max_length=3)
    validation_by: ValidationBy = "speaker"
    train: dict[ClipId, Sha256] = Field(min_length=1)
    validation: dict[ClipId, Sha256] = Field(min_length=1)
    test: dict[ClipId, Sha256] = Field(min_length=1)
    views: dict[Side, dict[ClipId, tuple[View, ...]]] | None = None
    shares_speakers: bool = False

    @classmethod
    def of(cls, value: object, source: str = "split.json") -> Self:
        """Check plain values strictly. Raises :class:`RunError`, naming ``source``, if they are not valid."""
        try:
            return cls.model_validate_json(json.dumps(value, allow_nan=False), strict=True)
        except ValidationError as error:
            raise _not_a_split(source, first_problem(error)) from error
        except (TypeError, ValueError, RecursionError) as error:
            raise _not_a_split(source, str(error)) from error

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file, or the split of a run's folder.

        Raises
        ------
        UsageError
            If the file cannot be read, or is not a regular file.
        RunError
            If it is not a split, or larger than any split.
        """
        file = path / "split.json" if path.is_dir() else path
        try:
            data = read_regular_file(file, _MOST_BYTES)
        except OSError as error:
            if error.errno == errno.EFBIG:
                raise _not_a_split(str(file), str(error.strerror)) from error
            raise UsageError(
                f"cannot read the split {file}: {error.strerror or error}; give a file written by "
                "`ser-features audit --save`, or the folder of a run"
            ) from error
        if sum(map(data.count, _MARKS)) > 10_000 + len(data) // _BYTES_PER_MARK:
            raise _not_a_split(str(file), "it holds more values than a split of its size can have")
        try:
            value = json.loads(decode_text(data), object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise _not_a_split(str(file), str(error)) from error
        return cls.of(value, str(file))

    @property
    def sides(self) -> dict[Side, dict[str, str]]:
        """Hash by clip id, for each side."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @model_validator(mode="after")
    def _check_hashes(self) -> Self:
        known: dict[str, str] = {}
        for clips in self.sides.values():
            for clip, digest in clips.items():
                if known.setdefault(clip, digest) != digest:
                    raise ValueError(f"{clip} has two hashes")
        return self

    @model_validator(mode="after")
    def _check_speakers(self) -> Self:
        if self.shares_speakers and self.protocol != "emobox":
            raise ValueError(f"only published folds of emobox share speakers, not {self.protocol}")
        return self

    @model_validator(mode="after")
    def _check_views(self) -> Self:
        if self.views is None:
            return self
        if self.protocol != "random":
            raise ValueError(f"only the protocol random draws views, not {self.protocol}")
        for side in SIDES:
            views, clips = self.views.get(side, {}), self.sides[side]
            if views.keys() != clips.keys():
                odd = min(views.keys() ^ clips.keys())
                raise ValueError(f"{odd} is in {side} or in its views, but not in both")
            for clip, indices in views.items():
                if not indices or list(indices) != sorted(set(indices)):
                    raise ValueError(f"the views of {clip} are not in ascending order without repeats")
        return self


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    require_unique_keys(pairs)
    return dict(pairs)


def _not_a_split(source: str, why: str) -> RunError:
    reason = " ".join(why.split())
    reason = reason if len(reason) <= _MOST_MESSAGE else f"{reason[:_MOST_MESSAGE]}…"
    return RunError(
        f"{source} is not a split: {reason}; make one with `ser-features audit --save`, or start a new run"
    )
