"""Features that another tool computed: their shape, and where their numbers come from."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.encoders import RESERVED_NAMES
from schemas.model import Model

MOST_LAYERS = 129
MOST_FRAMES = 20_000
MOST_VALUES = 65_536
"""Limits of an imported feature per clip: layers, frames, and values of a frame."""

MOST_COLUMNS = 16_384
MOST_COLUMN_NAME = 200
MOST_FILES = 100
MOST_PROVENANCE = 500
"""Limits of what the specification says about the source; ComParE 2016 has 6,373 columns."""

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,31}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_Size = Annotated[int, Field(ge=1)]


class ImportedSpec(Model):
    """Numbers that another tool computed from the recordings, for the original view alone.

    Stored as (layers × values, frames) in the tool's own units; clips that the source lacks are NaN.
    """

    kind: Literal["imported"] = "imported"
    name: str
    """Name of the feature, and of its arrays: lower-case letters, digits, dots and hyphens, at most 32."""
    shape: tuple[_Size, ...] | None = Field(None, min_length=1, max_length=3)
    """Of a clip: (values,), (frames, values) or (layers, frames, values), with the most frames of any clip. A
    recipe leaves out this field and those below, because the store knows them."""
    source: tuple[Annotated[str, Field(min_length=1, max_length=255)], ...] | None = Field(
        None, min_length=1, max_length=MOST_FILES
    )
    """Names of the files or folders, without the folders that they lie in."""
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """SHA-256 of the file; of several files or a folder, of the lines ``hash  name``, sorted by name."""
    provenance: Annotated[str, Field(min_length=1, max_length=MOST_PROVENANCE)] | None = None
    """Where the numbers come from, in one line."""
    columns: tuple[Annotated[str, Field(max_length=MOST_COLUMN_NAME)], ...] | None = Field(
        None, max_length=MOST_COLUMNS
    )
    """Columns of a table, in the order of the values; null if the source is not a table."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        require_imported_name(self.name)
        if self.shape is not None:
            layers, frames, values = self.sizes
            for size, most, what in (
                (layers, MOST_LAYERS, "layers"),
                (frames, MOST_FRAMES, "frames"),
                (values, MOST_VALUES, "values per frame"),
            ):
                if size > most:
                    raise ValueError(f"{self.name} has {size:,} {what}; the limit is {most:,}")
            if self.columns is not None and len(self.columns) != values:
                raise ValueError(
                    f"{self.name} has {values:,} values per frame, but {len(self.columns):,} columns"
                )
        for text in (*(self.source or ()), self.provenance or "", *(self.columns or ())):
            if found := _UNPRINTABLE.search(text):
                raise ValueError(f"{text[:60]!r} contains the control character {found[0]!r}")
        return self

    @property
    def is_complete(self) -> bool:
        """Whether the shape is known, as it is in a store."""
        return None not in (self.shape, self.source, self.sha256, self.provenance)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Layers, frames and values per frame. Raises ValueError if they are not known yet."""
        if self.shape is None:
            raise ValueError(f"the shape of the imported feature {self.name} is not known yet")
        layers, frames = (1, *self.shape[:-1])[-2:] if len(self.shape) > 1 else (1, 1)
        return layers, frames, self.shape[-1]

    @property
    def layers(self) -> int:
        """Number of layers; 1 for a source without layers."""
        return self.sizes[0]

    @property
    def frames(self) -> int:
        """Most frames of a clip; 1 for a vector per clip."""
        return self.sizes[1]

    @property
    def width(self) -> int:
        """Values of a frame of one layer."""
        return self.sizes[2]

    @property
    def coefficients(self) -> int:
        """Rows of the stored array: layers × values."""
        return self.layers * self.width


def require_imported_name(name: str) -> None:
    """Raise ValueError unless an imported feature can have this name."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"the name of an imported feature has 1 to 32 lower-case letters, digits, dots and hyphens, "
            f"unlike '{name[:40]}'"
        )
    if name in RESERVED_NAMES:
        raise ValueError(f"an imported feature cannot be named '{name}'; that name has another meaning")
