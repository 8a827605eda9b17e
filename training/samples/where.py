"""Clips selected by a pandas query over the manifest, such as ``snr_db > 10 and clipping_ratio == 0``."""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.errors import UsageError
from schemas.messages.nearest import did_you_mean
from schemas.names import nfc

_GRAMMAR = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Invert, ast.USub, ast.BinOp,
    ast.BitAnd, ast.BitOr, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Compare, ast.cmpop, ast.Constant,
    ast.List, ast.Tuple, ast.Load, ast.Name, ast.Attribute,
)  # fmt: skip
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)
_ASSIGNMENT = re.compile(r"[^=<>!]=[^=]")
_METHODS = {"str", "contains", "startswith", "endswith", "lower", "isin", "between", "isna", "notna", "abs"}


_MOST_CHARACTERS = 20_000
_MOST_QUOTED = 200
_MOST_DEPTH = 100
"""Operators within operators. pandas calls itself several times for each, and Python allows 1,000 calls."""


def matching_clips(manifest: pd.DataFrame, query: str) -> NDArray[np.bool_]:
    """Which clips of ``manifest`` match the query: (clips,) bool.

    A query compares columns with numbers, strings and lists, combined by ``and``, ``or`` and ``not``. String
    columns also offer methods such as ``.str.contains("…")``, which searches literally. A missing value
    satisfies no comparison except ``!=``. Everything else that pandas could run is refused, because a recipe
    may come from an untrusted source. Raises :class:`UsageError`.
    """
    if len(query) > _MOST_CHARACTERS:
        raise _too_long(query, f"{len(query):,} characters, but at most {_MOST_CHARACTERS:,}")
    if not query.isascii():
        query, manifest = nfc(query), _compose(manifest)
    checked = _harmless(query, set(manifest.columns))
    try:
        found = manifest.eval(checked, engine="python", local_dict={}, global_dict={})
    except Exception as error:  # pandas raises errors of any kind for a meaningless query
        raise UsageError(f"--where {_quote(query)}: {error}; compare columns of the manifest") from error
    if not isinstance(found, pd.Series) or found.dtype != bool:
        raise UsageError(
            f"--where {_quote(query)} does not give true or false per clip; compare a column, such as "
            f"snr_db > 10"
        )
    return found.to_numpy()


def _compose(manifest: pd.DataFrame) -> pd.DataFrame:
    """The manifest with the accents of its strings as :func:`schemas.names.nfc` writes them."""
    texts = [str(name) for name, column in manifest.items() if _is_text(column)]
    return manifest.assign(**{name: manifest[name].map(nfc, na_action="ignore") for name in texts})


def _is_text(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)


def _harmless(query: str, columns: set[str]) -> str:
    """The query for pandas to run; searches are made literal, since a pattern may never finish."""
    try:
        # pandas reads & and | as "and" and "or"; Python's grammar knows both.
        tree = ast.parse(query.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        how = "compare with ==, not =" if _ASSIGNMENT.search(query) else "write, for example, snr_db > 10"
        raise UsageError(f"--where {_quote(query)} is not a valid query; {how}") from error
    _require_shallow(tree, query)
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
        raise UsageError(f"--where {_quote(query)}: strings must be quoted; write '{text}' instead of {text}")
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) if name not in columns:
                available = ", ".join(sorted(columns))
                raise UsageError(
                    f"--where {_quote(query)}: the manifest has no column '{name}'; "
                    f"{did_you_mean(name, columns)}it has {available}"
                )
            case ast.Attribute(attr=name) if name not in _METHODS:
                raise UsageError(
                    f"--where {_quote(query)}: '.{name}' is not allowed; use one of "
                    f".{', .'.join(sorted(_METHODS))}"
                )
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _ARITHMETIC) and not (
                _is_number(left) and _is_number(right)
            ):
                raise UsageError(f"--where {_quote(query)}: arithmetic works only on columns and numbers")
            case ast.Call(func=ast.Attribute(attr=name), keywords=[]):
                if name == "contains":
                    node.keywords.append(ast.keyword("regex", ast.Constant(value=False)))
            case _ if not isinstance(node, (*_GRAMMAR, ast.keyword)):
                raise UsageError(f"--where {_quote(query)}: only comparisons of columns are allowed")
    return ast.unparse(tree)


def _require_shallow(tree: ast.expr | ast.Expression, query: str) -> None:
    """Check that no operator is within too many others, where pandas and Python would call too deeply."""
    waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, ast.BoolOp):  # pandas nests: a or b or c is (a or b) or c
            depth += len(node.values) - 2
        elif isinstance(node, ast.Compare):
            depth += len(node.ops) - 1
        if depth > _MOST_DEPTH:
            raise _too_long(query, f"too many operators, one within the other, but {_MOST_DEPTH}")
        waiting += ((child, depth + 1) for child in ast.iter_child_nodes(node))


def _too_long(query: str, what: str) -> UsageError:
    return UsageError(
        f"--where {_quote(query)} has {what} are possible; write lists as isin([…]), or select the clips in "
        f"several steps with a split file"
    )


def _quote(query: str) -> str:
    return repr(query if len(query) <= _MOST_QUOTED else f"{query[:_MOST_QUOTED]}…")


def _is_number(node: ast.expr) -> bool:
    """Whether an operand contains no string or list literal."""
    return not any(
        isinstance(part, ast.List | ast.Tuple)
        or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in ast.walk(node)
    )
