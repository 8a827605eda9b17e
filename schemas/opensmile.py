"""Functionals of openSMILE: one vector per clip, computed by the package ``opensmile``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.model import Model

FEATURE_SETS = {"egemaps": "eGeMAPSv02", "compare": "ComParE_2016"}
"""Name of a feature → the feature set of openSMILE."""

LICENCE = "openSMILE is free for research and private use; products need a licence from audEERING"


class OpenSmileSpec(Model):
    """Functionals of openSMILE over each view, (values, 1), in openSMILE's units.

    ``egemaps`` : extended Geneva Minimalistic Acoustic Parameter Set, version 02, 88 values (Eyben et al.
    2016). ``compare`` : the set of the ComParE challenges since 2013 and 2016, 6,373 values (Schuller et al.
    2016). Computed by ``pipelines.opensmile``.
    """

    kind: Literal["opensmile"] = "opensmile"
    name: Literal["egemaps", "compare"]
    """Name of the feature, and of its arrays."""
    version: str | None = Field(None, pattern=r"^[0-9a-zA-Z.+]{1,40}$")
    """Version of the package. A recipe may leave it out: the build fills it in, with the columns."""
    columns: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] | None = Field(
        None, min_length=1, max_length=16_384
    )
    """Names of the values, as openSMILE gives them."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.version is None) != (self.columns is None):
            raise ValueError(f"{self.name}: give version and columns together, or leave both out")
        return self

    @property
    def is_complete(self) -> bool:
        """Whether version and columns are known, as they are in a store."""
        return self.columns is not None

    @property
    def coefficients(self) -> int:
        """Number of values. Raises ValueError if they are not known yet."""
        if self.columns is None:
            raise ValueError(f"the columns of {self.name} are not known yet")
        return len(self.columns)

    def frames(self, samples: int, sample_rate: int) -> int:  # noqa: ARG002 as encoders have it
        """Stored frames of ``samples`` samples at ``sample_rate`` Hz: one, and none for no samples."""
        return int(samples > 0)
