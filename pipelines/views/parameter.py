"""Values of the parameter of a view."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.random_stream import StreamKey, uniform
from schemas.views import Parameter, span


def draw(parameter: Parameter, keys: Sequence[StreamKey]) -> tuple[float, ...]:
    """One value per clip: the fixed one, or one drawn uniformly at counter 0 of the clip's random stream."""
    low, high = span(parameter)
    return tuple(uniform(key, 0, low, high) for key in keys)
