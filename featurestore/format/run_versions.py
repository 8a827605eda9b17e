"""Published runs: the versions of one run, and the list of all runs at a place.

::

    s3://lab/emotions/
      latest.json  versions/        stores
      runs.json                     the newest version of each run, with the digest of its store
      runs/NAME/latest.json         the versions of one run
      runs/NAME/versions/<id>/      the files of one version
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from featurestore.format.documents import parse_document
from featurestore.format.layout import RUN_LIST, RUNS
from featurestore.format.versions import AnyVersion, AnyVersions
from featurestore.places.place import Place
from schemas.errors import RunError, SerError
from schemas.model import Model

_MOST_LIST = 2**24
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$"

_RunName = Annotated[str, Field(pattern=_NAME)]
_Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class RunFacts(Model):
    """What a person wants to know about a run before choosing it."""

    kind: Literal["run", "series"]
    created: _Text
    """UTC, ISO 8601."""
    store: str = Field(pattern="^sha256:[0-9a-f]{64}$")
    """Digest of the store that the run was trained on, wherever that is."""
    model: _Text
    tested: _Text
    """Title of the test: its protocol, and whether it is speaker-independent."""
    headline: Literal["UA", "CCC"]
    value: float = Field(ge=-1, le=1)
    """Unweighted average recall, or mean CCC of a regression."""


class RunVersion(AnyVersion):
    """One version of a run."""

    bytes: int = Field(ge=0)
    facts: RunFacts


class RunVersions(AnyVersions[RunVersion]):
    """``latest.json`` of a published run."""

    format: Literal["ser-run-versions"] = "ser-run-versions"
    format_version: Literal[1] = 1

    @model_validator(mode="after")
    def _check_latest(self) -> Self:
        if self.latest not in {version.id for version in self.versions}:
            raise ValueError(f"it lists no version {self.latest}, which it names as the latest")
        return self

    @classmethod
    def other_kind_error(cls, place: Place) -> SerError:
        """The error if stores are published at ``place``."""
        return RunError(
            f"{place} is a feature store, not a run; give a run, such as {place}/{RUNS}/NAME "
            f"(`ser-features info {place}` lists them)"
        )


class RunList(Model):
    """``runs.json`` of a place: the newest version of each run, by name."""

    format: Literal["ser-runs"] = "ser-runs"
    format_version: Literal[1] = 1
    runs: dict[_RunName, RunVersion]


def is_run_name(name: str) -> bool:
    """Whether a run can be published under this name."""
    return re.match(_NAME, name) is not None and not name.endswith("\n")


def run_folder(name: str) -> str:
    """Path of a run below the URL that it was pushed to."""
    return f"{RUNS}/{name}"


def read_run_list(place: Place) -> RunList | None:
    """Read the list of the runs at a place; None if there is none.

    Raises :class:`~schemas.errors.StoreDamagedError` if it is damaged.
    """
    try:
        data = place.read(RUN_LIST, _MOST_LIST)
    except FileNotFoundError:
        return None
    return parse_document(data, f"{place}/{RUN_LIST}", RunList)
