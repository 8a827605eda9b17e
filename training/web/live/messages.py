"""Messages between the live page and the server, as JSON; samples are binary messages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

LOWEST_RATE, HIGHEST_RATE = 4_000, 192_000
"""Sample rates of microphones, Hz."""

SHORTEST_STEP_S, LONGEST_STEP_S, STEP_S = 0.1, 5.0, 0.5
"""Range and default of the step from window to window."""

LOWEST_LEVEL_DB, HIGHEST_LEVEL_DB, LEVEL_DB = -80.0, -10.0, -45.0
"""Range and default of the level below which sound is silence, dB re full scale.

-80 dB is the level below which ``ser-predict`` calls a window silent. A microphone in a quiet room is louder.
"""

_CHECKED = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Cut(BaseModel):
    """How the page wants the sound cut: windows and steps in seconds, and the level of silence in dB."""

    model_config = _CHECKED

    window_s: Annotated[float, Field(gt=0, le=3600)]
    step_s: Annotated[float, Field(ge=SHORTEST_STEP_S, le=LONGEST_STEP_S)]
    level_db: Annotated[float, Field(ge=LOWEST_LEVEL_DB, le=HIGHEST_LEVEL_DB)]

    @property
    def quietest(self) -> float:
        """Absolute value of a sample at ``level_db``."""
        return float(10 ** (self.level_db / 20))


class Start(Cut):
    """First message: samples at ``rate`` Hz will follow, float32 in little-endian order, mono."""

    type: Literal["start"]
    rate: Annotated[int, Field(ge=LOWEST_RATE, le=HIGHEST_RATE)]


class Change(Cut):
    """Cut the sound differently from now on."""

    type: Literal["change"]


class Stop(BaseModel):
    """No more samples follow; the remaining windows are wanted."""

    model_config = _CHECKED

    type: Literal["stop"]


Asked = Start | Change | Stop

asked: TypeAdapter[Asked] = TypeAdapter(Annotated[Asked, Field(discriminator="type")])
"""Reads a message of the page."""


class Row(BaseModel):
    """A window, in seconds of the sound. ``probabilities`` are in the model's order; None for silence."""

    type: Literal["row"] = "row"
    start_s: float
    stop_s: float
    probabilities: list[float] | None
    skipped: int
    """Windows skipped so far because the model is slower than the sound."""


class End(BaseModel):
    """Last message: why the server stopped listening, as a sentence; None if the page asked for it."""

    type: Literal["end"] = "end"
    problem: str | None = None
