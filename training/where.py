"""Clips chosen by a pandas query over the manifest: ``snr_db > 10 and clipping_ratio == 0``."""

from __future__ import annotations

import ast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.errors import UsageError

_GRAMMAR = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Invert, ast.USub, ast.BinOp,
    ast.BitAnd, ast.BitOr, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Compare, ast.cmpop, ast.Constant,
    ast.List, ast.Tuple, ast.Load, ast.Name, ast.Attribute, ast.keyword,
)  # fmt: skip
_METHODS = {"str", "contains", "startswith", "endswith", "lower", "isin", "between", "isna", "notna", "abs"}


def matching(manifest: pd.DataFrame, query: str) -> NDArray[np.bool_]:
    """Which clips of ``manifest`` meet the query: (clips,) bool; a missing value meets no comparison.

    A query compares columns with numbers, texts and lists, joined by ``and``, ``or``, ``not``; columns of
    text have ``.str.contains("…")`` and the like. Anything else that pandas would run is refused, because a
    recipe may come from a stranger. Raises :class:`UsageError`.
    """
    _require_harmless(query, set(manifest.columns))
    try:
        found = manifest.eval(query, engine="python", local_dict={}, global_dict={})
    except Exception as error:  # pandas meets a senseless query with errors of any kind
        raise UsageError(f"--where {query!r}: {error}; compare columns of the manifest") from error
    if not isinstance(found, pd.Series) or found.dtype != bool:
        raise UsageError(
            f"--where {query!r} is not true or false for each clip; compare a column, as snr_db > 10"
        )
    return found.to_numpy()


def _require_harmless(query: str, columns: set[str]) -> None:
    try:
        # pandas reads & and | as "and" and "or"; Python's grammar knows both.
        tree = ast.parse(query.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"--where {query!r} is not a query; write one as snr_db > 10") from error
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) if name not in columns:
                has = ", ".join(sorted(columns))
                raise UsageError(f"--where {query!r}: the manifest has no column '{name}'; it has {has}")
            case ast.Attribute(attr=name) if name not in _METHODS:
                raise UsageError(
                    f"--where {query!r}: '.{name}' is not allowed; choose of .{', .'.join(sorted(_METHODS))}"
                )
            case ast.Call(func=ast.Attribute()):
                pass
            case _ if not isinstance(node, _GRAMMAR):
                raise UsageError(f"--where {query!r}: only comparisons of columns are allowed")
