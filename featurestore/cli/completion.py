"""What the shell offers after Tab: names that an option takes, behind the last comma where it takes several.

Functions from what is typed to what it could become; a file is completed by the shell itself where nothing
is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Completer = Callable[[str], list[str]]


def recipes(typed: str) -> list[str]:
    """Names of shipped recipes."""
    from schemas.recipe import shipped_recipes

    return _one(typed, shipped_recipes())


def datasets(typed: str) -> list[str]:
    """Known corpora, and ``all``."""
    from data.registry import CORPORA

    return _several(typed, CORPORA, alone="all")


def features(typed: str) -> list[str]:
    """Features, and ``all``."""
    from schemas.features import FEATURE_KINDS

    return _several(typed, FEATURE_KINDS, alone="all")


def models(typed: str) -> list[str]:
    """Models by name."""
    from schemas.architecture import MODELS

    return _one(typed, MODELS)


def protocols(typed: str) -> list[str]:
    """Protocols; of folds the usual numbers."""
    from typing import get_args

    from schemas.protocol import Protocol

    return _one(typed, (*(name for name in get_args(Protocol) if name != "kfold"), "kfold:5", "kfold:10"))


def _one(typed: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(typed)]


def _several(typed: str, names: Iterable[str], alone: str) -> list[str]:
    """Names that are not typed yet, each with what stands before the last comma; ``alone`` with no other."""
    before, comma, last = typed.rpartition(",")
    offered = names if comma else (alone, *names)
    return [f"{before}{comma}{name}" for name in _one(last, offered) if name not in before.split(",")]
