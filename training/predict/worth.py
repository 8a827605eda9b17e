"""What a model is worth: the result of its test, to stand beside what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import RunError
from schemas.recipe import first_problem
from training.report.wording import percent, warning
from training.runs.recorded_claim import claim_of_run, claim_of_series
from training.runs.run import RunFolder
from training.runs.series import SeriesFolder
from training.splits.claim import Claim

_UNTESTED = "not tested yet: its probabilities are worth nothing that is known"


class Worth(BaseModel):
    """Result of a run, or of the folds of a series, over emotions."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    run: str
    """Folder, as it was given."""
    claim: Claim
    """Protocol, and what training shared with the test."""
    ua: float = Field(ge=0, le=1)
    """Unweighted average recall; of a series that of the clips of all folds, each told by a model that has
    not heard it."""
    low: float | None
    high: float | None
    """Interval of ``ua``; None where there is none."""
    level: float | None
    folds: int | None = None
    """Models of a series; None: of a run."""

    @classmethod
    def of(cls, run: Path) -> Self | None:
        """Worth of the run, or series, at ``run``; None where it is not tested yet.

        Raises :class:`RunError` where what stands there is no result of this version's.
        """
        series = SeriesFolder.is_one(run)
        path = run / ("summary.json" if series else "metrics.json")
        try:
            found = _Result.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror or error}") from error
        except ValidationError as error:
            raise RunError(f"{path} holds no result ({first_problem(error)}); train it again") from error
        tested = found.pooled if series else found.test
        if tested is None:
            raise RunError(f"{path} holds no result of a test; train it again")
        claim = found.claim
        if claim is None:  # written before results kept their claim
            claim = claim_of_series(SeriesFolder(run)) if series else claim_of_run(RunFolder(run))
        scores = tested.emotion
        interval = scores.intervals
        return cls(
            run=str(run),
            claim=claim,
            ua=scores.ua,
            low=None if interval is None else interval.ua.low,
            high=None if interval is None else interval.ua.high,
            level=None if interval is None else interval.level,
            folds=len(found.folds) if series else None,
        )

    @property
    def warning(self) -> str | None:
        """What must be read beside it; None where it is speaker-independent."""
        return warning(self.claim)

    @property
    def sentence(self) -> str:
        """``speaker-independent (protocol: speaker): UA 49.6 % (95 % interval 42.9 to 57.1)``."""
        known = "no interval"
        if self.low is not None and self.high is not None and self.level is not None:
            known = f"{100 * self.level:.0f} % interval {100 * self.low:.1f} to {100 * self.high:.1f}"
        of = " over the clips of all folds" if self.folds else ""
        what = f"{self.claim.title}: UA {percent(self.ua)}{of} ({known})"
        return what if self.warning is None else f"{what}; {self.warning}"


def worth_notes(runs: list[Path], worths: list[Worth | None]) -> list[str]:
    """What is to be said of the models before their answers: a sentence a run, one of their mean."""
    notes = [
        f"{run}: {_UNTESTED if worth is None else worth.sentence}"
        for run, worth in zip(runs, worths, strict=True)
    ]
    folds = [worth.folds for worth in worths if worth is not None and worth.folds]
    if len(runs) > 1 or folds:
        notes.append("the answer is the mean of several models, and that mean is not what was tested")
    return notes


class IntervalJson(TypedDict):
    """Bounds of a share and the level of their interval."""

    low: float
    high: float
    level: float | None


class WorthJson(TypedDict):
    """Result of a model; null if it is not tested."""

    run: str
    protocol: str | None
    ua: float | None
    interval: IntervalJson | None
    warning: str | None


def worth_json(run: Path, worth: Worth | None) -> WorthJson:
    """Plain values of a result, or of its absence."""
    if worth is None:
        return {"run": str(run), "protocol": None, "ua": None, "interval": None, "warning": _UNTESTED}
    interval: IntervalJson | None = None
    if worth.low is not None and worth.high is not None:
        interval = {"low": worth.low, "high": worth.high, "level": worth.level}
    return {
        "run": worth.run,
        "protocol": worth.claim.title,
        "ua": worth.ua,
        "interval": interval,
        "warning": worth.warning,
    }


class _Read(BaseModel):
    """Part of a result that was written by this package; other keys are let be."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class _Interval(_Read):
    low: float
    high: float


class _Intervals(_Read):
    ua: _Interval
    level: float


class _Scores(_Read):
    ua: float = Field(ge=0, le=1)
    intervals: _Intervals | None


class _Tested(_Read):
    emotion: _Scores


class _Result(_Read):
    claim: Claim | None = None
    test: _Tested | None = None
    pooled: _Tested | None = None
    folds: tuple[object, ...] = ()
