"""JSON documents from a stranger, read within bounds."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.errors import StoreDamagedError
from schemas.model import Model

T = TypeVar("T", bound=Model)

_FREE_VALUES = 150_000
_BYTES_PER_VALUE = 10
_BYTES_PER_VALUE_OF_OBJECTS = 24
"""At least, in the mean of a large document: an entry of ``objects``, three values, takes 110 and more."""

_MOST_MESSAGE = 300


def parse_json_document(data: bytes, source: str, kind: type[T]) -> T:
    """Validate a document strictly; ``source`` names it in errors.

    Nothing is converted: no number from text, no whole number from ``1.0`` or ``true``. Keys that stand
    twice, numbers that are not finite, bytes that are not UTF-8 and halves of surrogate pairs are refused;
    pydantic's parser itself refuses 200 levels of depth and whole numbers of more than 4,300 digits.
    The memory taken is at most 75 MB and about 25 times the document's bytes, whatever it holds (measured;
    9 times for an honest ``store.json``).

    Raises :class:`StoreDamagedError`.
    """
    values = sum(data.count(mark) for mark in (b",", b"[", b"{"))
    each = _BYTES_PER_VALUE_OF_OBJECTS if "objects" in kind.model_fields else _BYTES_PER_VALUE
    if values > _FREE_VALUES + len(data) // each:
        raise _damaged(source, f"it is {values:,} values in {len(data):,} bytes, which no store needs")
    try:
        document = kind.model_validate_json(data, strict=True)
        json.loads(
            data,
            object_pairs_hook=_require_unique,
            parse_constant=_refuse_constant,
            parse_float=_require_finite,
        )
    except ValidationError as error:
        raise _damaged(source, _first_problem(error)) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(source, str(error)) from error
    return document


def _require_unique(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:100]!r} stands in it twice")


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"it holds the number {constant}")


def _require_finite(number: str) -> None:
    if abs(float(number)) == float("inf"):
        raise ValueError(f"it holds the number {number[:40]}")


def _first_problem(error: ValidationError) -> str:
    """The first complaint as ``field: what is wrong (got value)``, however long the value."""
    if error.error_count() > 10_000:
        return f"it has {error.error_count():,} mistakes"
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part)[:100] for part in problem["loc"]) or "as a whole"
    what = problem["msg"].removeprefix("Value error, ")
    value = problem.get("input")
    told = problem["type"] in {"value_error", "missing", "json_invalid"} or isinstance(value, dict | list)
    return f"{where}: {what}" if told else f"{where}: {what} (got {_brief(value)})"


def _brief(value: object) -> str:
    text = repr(value[:100] if isinstance(value, str) else value)
    return text if len(text) <= 100 else f"{text[:97]}…"


def _damaged(source: str, what: str) -> StoreDamagedError:
    return StoreDamagedError(
        f"{source} is damaged ({' '.join(what[:_MOST_MESSAGE].split())}); do not use it, or run "
        f"`ser-features build --check` with its corpora to repair it"
    )
