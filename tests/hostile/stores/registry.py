"""The list of hostile stores, which the other modules here add to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.hostile.forge import Forge

SHARD = "demo/mel/c/0/0/0/0"


@dataclass(frozen=True)
class Hostile:
    """``make`` changes the store. ``at`` tells when it must be refused: on ``open``, or on ``read`` at last.

    ``message`` : pattern of the sentence. ``travels`` : whether it is still hostile as a list of plain files
    (links and pipes are not).
    """

    name: str
    make: Callable[[Forge], None]
    at: str
    message: str
    travels: bool = True


HOSTILE: list[Hostile] = []


def hostile(
    at: str, message: str, *, travels: bool = True
) -> Callable[[Callable[[Forge], None]], Callable[[Forge], None]]:
    def register(make: Callable[[Forge], None]) -> Callable[[Forge], None]:
        HOSTILE.append(Hostile(make.__name__, make, at, message, travels))
        return make

    return register


def add(name: str, at: str, message: str, make: Callable[[Forge], None], *, travels: bool = True) -> None:
    HOSTILE.append(Hostile(name, make, at, message, travels))
