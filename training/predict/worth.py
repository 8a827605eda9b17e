"""How good a model is: the result of its test, shown with its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import TypedDict  # that of typing has no schema before Python 3.12

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
    """Test result of a run, or of the folds of a series: over emotions, or of a regression."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    run: str
    """Folder, as given."""
    claim: Claim
    """Protocol, and what training shared with the test."""
    headline: Literal["UA", "CCC"]
    """What :attr:`value` is: UA of a classifier, mean CCC of a regression."""
    value: float = Field(ge=-1, le=1)
    """Unweighted average recall or mean CCC; for a series over the test clips of all folds, each predicted by
    a model that was not trained on it."""
    low: float | None
    high: float | None
    """Bounds of the interval of ``value``; None if there is no interval."""
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
        scores = tested.emotion if isinstance(tested, _Tested) else tested
        bounds = None if scores.intervals is None else scores.intervals.bounds
        return cls(
            run=str(run),
            claim=claim,
            headline="UA" if isinstance(tested, _Tested) else "CCC",
            value=scores.value,
            low=None if bounds is None else bounds.low,
            high=None if bounds is None else bounds.high,
            level=None if scores.intervals is None else scores.intervals.level,
            folds=len(found.folds) if series else None,
        )

    @property
    def ua(self) -> float | None:
        """Unweighted average recall; None for a regression."""
        return self.value if self.headline == "UA" else None

    @property
    def ccc(self) -> float | None:
        """Mean CCC over the dimensions; None for a classifier."""
        return self.value if self.headline == "CCC" else None

    @property
    def warning(self) -> str | None:
        """Warning to show with the result; None if it is speaker-independent."""
        return warning(self.claim)

    @property
    def sentence(self) -> str:
        """``speaker-independent (protocol: speaker): UA 49.6 % (95 % interval 42.9 to 57.1)``."""
        known = "no interval"
        shares = self.headline == "UA"
        if self.low is not None and self.high is not None and self.level is not None:
            low, high = (f"{100 * x:.1f}" if shares else f"{x:.3f}" for x in (self.low, self.high))
            known = f"{100 * self.level:.0f} % interval {low} to {high}"
        of = " over the clips of all folds" if self.folds is not None and self.folds > 1 else ""
        reached = percent(self.value) if shares else f"{self.value:.3f}"
        what = f"{self.claim.title}: {self.headline} {reached}{of} ({known})"
        return what if self.warning is None else f"{what}; {self.warning}"


def worth_notes(runs: Sequence[str | Path], worths: list[Worth | None]) -> list[str]:
    """Sentences to show before predictions: one per run, and one about the mean of several models."""
    notes = [
        f"{run}: {_UNTESTED if worth is None else worth.sentence}"
        for run, worth in zip(runs, worths, strict=True)
    ]
    if sum(1 if worth is None or worth.folds is None else worth.folds for worth in worths) > 1:
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


class ValueWorthJson(TypedDict):
    """Result of a regression; null if it is not tested."""

    run: str
    protocol: str | None
    ccc: float | None
    interval: IntervalJson | None
    warning: str | None


def worth_json(
    run: str | Path, worth: Worth | None, *, regression: bool = False
) -> WorthJson | ValueWorthJson:
    """Plain values of a result; all but ``run`` and ``warning`` are None if the model is not tested."""
    if worth is None and regression:
        return {"run": str(run), "protocol": None, "ccc": None, "interval": None, "warning": _UNTESTED}
    if worth is None:
        return {"run": str(run), "protocol": None, "ua": None, "interval": None, "warning": _UNTESTED}
    interval: IntervalJson | None = None
    if worth.low is not None and worth.high is not None:
        interval = {"low": worth.low, "high": worth.high, "level": worth.level}
    if regression:
        return {
            "run": str(run),
            "protocol": worth.claim.title,
            "ccc": worth.value,
            "interval": interval,
            "warning": worth.warning,
        }
    return {
        "run": str(run),
        "protocol": worth.claim.title,
        "ua": worth.value,
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
    bounds: _Interval = Field(alias="ua")
    level: float


class _Scores(_Read):
    value: float = Field(alias="ua", ge=0, le=1)
    intervals: _Intervals | None


class _Tested(_Read):
    emotion: _Scores


class _Agreement(_Read):
    ccc: _Interval


class _ValueIntervals(_Read):
    mean: _Agreement
    level: float

    @property
    def bounds(self) -> _Interval:
        """Of the mean over the dimensions."""
        return self.mean.ccc


class _TestedValues(_Read):
    value: float = Field(alias="ccc", ge=-1, le=1)
    intervals: _ValueIntervals | None


class _Result(_Read):
    claim: Claim | None = None
    test: _Tested | _TestedValues | None = None
    pooled: _Tested | _TestedValues | None = None
    folds: tuple[object, ...] = ()
