"""Untrusted JSON documents, parsed within bounds on memory and time."""

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
"""The least average of a large document: an entry of ``objects`` has three values and at least 110 bytes."""

_MOST_MESSAGE = 300


def parse_json_document(data: bytes, source: str, kind: type[T]) -> T:
    """Parse and validate a document strictly; ``source`` names it in errors.

    Nothing is converted: text is not read as a number, nor ``1.0`` or ``true`` as a whole number. Duplicate
    keys, non-finite numbers, bytes that are not UTF-8 and lone surrogates are refused. pydantic's own parser
    refuses documents nested 200 levels deep and whole numbers with more than 4,300 digits. Parsing takes at
    most 75 MB and about 25 times the size of the document, whatever it holds (measured; 9 times for an honest
    ``store.json``).

    Raises :class:`StoreDamagedError` if the document is not valid.
    """
    values = sum(data.count(mark) for mark in (b",", b"[", b"{"))
    each = _BYTES_PER_VALUE_OF_OBJECTS if "objects" in kind.model_fields else _BYTES_PER_VALUE
    if values > _FREE_VALUES + len(data) // each:
        raise _damaged(source, f"it packs {values:,} values into {len(data):,} bytes, which no store does")
    try:
        document = kind.model_validate_json(data, strict=True)
        json.loads(
            data,
            object_pairs_hook=require_unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_require_finite,
        )
    except ValidationError as error:
        raise _damaged(source, _first_problem(error)) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(source, str(error)) from error
    return document


def require_unique_keys(pairs: list[tuple[str, Any]]) -> None:
    """Raise ValueError if a key of a JSON object appears twice; for ``object_pairs_hook`` of a parser."""
    if len({key for key, _ in pairs}) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:100]!r} appears twice")


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"it contains the number {constant}")


def _require_finite(number: str) -> None:
    if abs(float(number)) == float("inf"):
        raise ValueError(f"it contains the number {number[:40]}")


def _first_problem(error: ValidationError) -> str:
    """The first validation error as ``field: what is wrong (got value)``, with long values cut."""
    if error.error_count() > 10_000:
        return f"it has {error.error_count():,} errors"
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part)[:100] for part in problem["loc"]) or "as a whole"
    what = problem["msg"].removeprefix("Value error, ")
    value = problem.get("input")
    complete = problem["type"] in {"value_error", "missing", "json_invalid"} or isinstance(value, dict | list)
    return f"{where}: {what}" if complete else f"{where}: {what} (got {_shorten(value)})"


def _shorten(value: object) -> str:
    text = repr(value[:100] if isinstance(value, str) else value)
    return text if len(text) <= 100 else f"{text[:97]}…"


def _damaged(source: str, what: str) -> StoreDamagedError:
    return StoreDamagedError(
        f"{source} is damaged ({' '.join(what[:_MOST_MESSAGE].split())}); do not use it, or run "
        f"`ser-features build --check` with its corpora to repair it"
    )
