"""Names that the shell offers after Tab, after the last comma of options that take several.

Each function takes the text typed so far and returns its completions. Without any, the shell completes
file names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Completer = Callable[[str], list[str]]


def recipes(typed: str) -> list[str]:
    """Complete the name of a shipped recipe."""
    from schemas.recipe import shipped_recipes

    return _one(typed, shipped_recipes())


def spaces(typed: str) -> list[str]:
    """Complete the name of a shipped space of a search, or ``default``."""
    from schemas.search_space import DEFAULT_SPACE, shipped_spaces

    return _one(typed, (DEFAULT_SPACE, *shipped_spaces()))


def datasets(typed: str) -> list[str]:
    """Complete known corpora, or ``all``."""
    from data.registry import CORPORA

    return _several(typed, CORPORA, alone="all")


def features(typed: str) -> list[str]:
    """Complete features, or ``all``."""
    from schemas.features import FEATURE_KINDS

    return _several(typed, FEATURE_KINDS, alone="all")


def models(typed: str) -> list[str]:
    """Complete the name of a model."""
    from schemas.named_models import MODELS

    return _one(typed, MODELS)


def protocols(typed: str) -> list[str]:
    """Complete a protocol, for those with groups of speakers with the usual numbers of them."""
    from typing import get_args

    from schemas.protocol import GROUPED, Protocol

    alone = (name for name in get_args(Protocol) if name not in GROUPED)
    return _one(typed, (*alone, *(f"{name}:{count}" for name in GROUPED for count in (5, 10))))


def _one(typed: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(typed)]


def _several(typed: str, names: Iterable[str], alone: str) -> list[str]:
    """Names not typed yet, each after the typed text up to the last comma; ``alone`` only as the first."""
    before, comma, last = typed.rpartition(",")
    offered = names if comma else (alone, *names)
    return [f"{before}{comma}{name}" for name in _one(last, offered) if name not in before.split(",")]
