"""Clips chosen by a pandas query over the manifest: ``snr_db > 10 and clipping_ratio == 0``."""

from __future__ import annotations

import ast
import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.errors import UsageError
from schemas.nearest import did_you_mean

_GRAMMAR = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Invert, ast.USub, ast.BinOp,
    ast.BitAnd, ast.BitOr, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Compare, ast.cmpop, ast.Constant,
    ast.List, ast.Tuple, ast.Load, ast.Name, ast.Attribute,
)  # fmt: skip
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)
_ASSIGNMENT = re.compile(r"[^=<>!]=[^=]")
_METHODS = {"str", "contains", "startswith", "endswith", "lower", "isin", "between", "isna", "notna", "abs"}


def matching_clips(manifest: pd.DataFrame, query: str) -> NDArray[np.bool_]:
    """Which clips of ``manifest`` meet the query: (clips,) bool.

    A query compares columns with numbers, texts and lists, joined by ``and``, ``or``, ``not``; columns of
    text have ``.str.contains("…")``, literally, and the like. A missing value meets no comparison but
    ``!=``. Anything else that pandas would run is refused, because a recipe may come from a stranger. Raises
    :class:`UsageError`.
    """
    checked = _harmless(query, set(manifest.columns))
    try:
        found = manifest.eval(checked, engine="python", local_dict={}, global_dict={})
    except Exception as error:  # pandas meets a senseless query with errors of any kind
        raise UsageError(f"--where {query!r}: {error}; compare columns of the manifest") from error
    if not isinstance(found, pd.Series) or found.dtype != bool:
        raise UsageError(
            f"--where {query!r} is not true or false for each clip; compare a column, as snr_db > 10"
        )
    return found.to_numpy()


def _harmless(query: str, columns: set[str]) -> str:
    """The query as pandas is to run it: searches are literal, as patterns can take for ever."""
    try:
        # pandas reads & and | as "and" and "or"; Python's grammar knows both.
        tree = ast.parse(query.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        how = "compare with ==, not =" if _ASSIGNMENT.search(query) else "write one as snr_db > 10"
        raise UsageError(f"--where {query!r} is not a query; {how}") from error
    words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - columns
    texts = {
        side.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name) and node.left.id in columns
        for side in node.comparators
        if isinstance(side, ast.Name)
    } & words
    if texts:
        text = min(texts)
        raise UsageError(f"--where {query!r}: put the text {text} in quotation marks, as '{text}'")
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) if name not in columns:
                has = ", ".join(sorted(columns))
                raise UsageError(
                    f"--where {query!r}: the manifest has no column '{name}'; "
                    f"{did_you_mean(name, columns)}it has {has}"
                )
            case ast.Attribute(attr=name) if name not in _METHODS:
                raise UsageError(
                    f"--where {query!r}: '.{name}' is not allowed; choose of .{', .'.join(sorted(_METHODS))}"
                )
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _ARITHMETIC) and not (
                _is_number(left) and _is_number(right)
            ):
                raise UsageError(f"--where {query!r}: only columns and numbers can be added or multiplied")
            case ast.Call(func=ast.Attribute(attr=name), keywords=[]):
                if name == "contains":
                    node.keywords.append(ast.keyword("regex", ast.Constant(value=False)))
            case _ if not isinstance(node, (*_GRAMMAR, ast.keyword)):
                raise UsageError(f"--where {query!r}: only comparisons of columns are allowed")
    return ast.unparse(tree)


def _is_number(node: ast.expr) -> bool:
    """Whether an operand is no text or list, as far as the query shows it."""
    return not any(
        isinstance(part, ast.List | ast.Tuple)
        or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in ast.walk(node)
    )
