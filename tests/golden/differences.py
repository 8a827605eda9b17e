"""Where two JSON values differ, by path."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ADDED = frozenset({"claim", "encoders", "members", "sentences", "temperature", "weights"})
"""Keys that answers have gained since the golden folder was made: :class:`training.splits.claim.Claim`,
:class:`training.audits.sentences.SharedSentences`, :class:`training.metrics.temperature.TemperatureEffect`,
:class:`training.metrics.ensemble_weights.EnsembleWeights`, the names of the averaged series, and the encoders
of an exported model."""

_HASH = re.compile(r"[0-9a-f]{16,64}")


@dataclass(frozen=True)
class Tolerance:
    """How far floats may be apart, and whether hashes and sizes of what was built must agree."""

    relative: float
    absolute: float
    same_bytes: bool = True


def differences(golden: Any, now: Any, tolerance: Tolerance, path: str = "$") -> Iterator[str]:
    """One line for each difference: JSON path, golden value, value now.

    Everything but floats must be equal; keys of :data:`ADDED` may be new.
    """
    if isinstance(golden, dict) and isinstance(now, dict):
        for key in [*golden, *(key for key in now if key not in golden)]:
            if key not in now:
                yield f"{path}.{key}: is missing now; was {_short(golden[key])}"
            elif key not in golden and key not in ADDED:
                yield f"{path}.{key}: is new; is {_short(now[key])}"
            elif key in golden and (tolerance.same_bytes or key != "bytes"):
                yield from differences(golden[key], now[key], tolerance, f"{path}.{key}")
    elif isinstance(golden, list) and isinstance(now, list):
        if len(golden) != len(now):
            yield f"{path}: has {len(now)} items now; had {len(golden)}"
        for index, (old, new) in enumerate(zip(golden, now, strict=False)):
            yield from differences(old, new, tolerance, f"{path}[{index}]")
    elif not _equal(golden, now, tolerance):
        yield f"{path}: is {_short(now)} now; was {_short(golden)}"


def _equal(golden: Any, now: Any, tolerance: Tolerance) -> bool:
    if type(golden) is not type(now):
        return False
    if isinstance(golden, float):
        both_nan = math.isnan(golden) and math.isnan(now)
        near = math.isclose(golden, now, rel_tol=tolerance.relative, abs_tol=tolerance.absolute)
        return both_nan or near
    if isinstance(golden, str) and not tolerance.same_bytes:
        return _HASH.sub("<hash>", golden) == _HASH.sub("<hash>", now)
    return bool(golden == now)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
