"""How good a model is: the result of its test, shown with its predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import RunError
from schemas.recipe import first_problem
from training.report.wording import percent, warning
from training.runs.hashes import is_listed
from training.runs.recorded_claim import claim_of_run, claim_of_series
from training.runs.run import RunFolder
from training.runs.series import SeriesFolder
from training.splits.claim import Claim

_UNTESTED = "not tested yet: how good its predictions are is unknown"


class Worth(BaseModel):
    """Test result of a run, or of the folds of a series, over emotions."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    run: str
    """Folder, as given."""
    claim: Claim
    """Protocol, and what training shared with the test."""
    ua: float = Field(ge=0, le=1)
    """Unweighted average recall; for a series over the test clips of all folds, each predicted by a model
    that was not trained on it."""
    low: float | None
    high: float | None
    """Bounds of the interval of ``ua``; None if there is no interval."""
    level: float | None
    folds: int | None = None
    """Number of models of a series; None for a single run."""

    @classmethod
    def of(cls, run: Path) -> Self | None:
        """Read the result of the run or series at ``run``; None if it is not tested yet.

        Raises :class:`RunError` if there is a result that this version cannot read.
        """
        series = SeriesFolder.is_one(run)
        path = run / ("summary.json" if series else "metrics.json")
        if path.exists() and not is_listed(run, path.name):  # training was stopped before its end
            return None
        try:
            found = _Result.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror or error}") from error
        except ValidationError as error:
            raise RunError(f"{path} has no valid result ({first_problem(error)}); train again") from error
        tested = found.pooled if series else found.test
        if tested is None:
            raise RunError(f"{path} has no test result; train again")
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
        """Warning to show with the result; None if it is speaker-independent."""
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
    """Sentences to show before predictions: one per run, and one about the mean of several models."""
    notes = [
        f"{run}: {_UNTESTED if worth is None else worth.sentence}"
        for run, worth in zip(runs, worths, strict=True)
    ]
    folds = [worth.folds for worth in worths if worth is not None and worth.folds]
    if len(runs) > 1 or folds:
        notes.append("predictions are averaged over several models; the average itself was not tested")
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
    """Plain values of a result; all but ``run`` and ``warning`` are None if the model is not tested."""
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
    """Part of a result file; other keys are ignored."""

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
