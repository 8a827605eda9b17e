"""The known corpora by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from data.corpus import Corpus
from data.cremad import CremaD
from data.demo import DemoCorpus
from data.emodb import EmoDb
from data.plugins import OfferedCorpora
from data.ravdess import Ravdess
from data.savee import Savee
from data.tess import Tess
from schemas.errors import CorpusError, UnknownNameError
from schemas.messages.nearest import did_you_mean

_IN_ORDER: tuple[Corpus, ...] = (Ravdess(), Tess(), Savee(), CremaD(), EmoDb(), DemoCorpus())

BUILT_IN: Mapping[str, Corpus] = MappingProxyType({corpus.name: corpus for corpus in _IN_ORDER})
"""Corpora of this package by name; all contain acted speech."""

CORPORA = OfferedCorpora(BUILT_IN)
"""All known corpora by name, including those of installed packages, in the order of lists and builds."""


def find_corpus(name: str) -> Corpus | None:
    """Corpus by name; None if it is unknown or its package is unusable."""
    try:
        return CORPORA.get(name)
    except CorpusError:
        return None


def real_corpora() -> tuple[str, ...]:
    """Names of the corpora of real speech."""
    return tuple(name for name in CORPORA if name != "demo")


def require_corpus(name: str, hint: str = "") -> Corpus:
    """Corpus by name. Raises :class:`UnknownNameError` with the known names, the closest one and ``hint``."""
    try:
        return CORPORA[name]
    except KeyError:
        raise UnknownNameError(
            f"unknown corpus '{name}'; {did_you_mean(name, CORPORA)}choose one of {', '.join(CORPORA)}, "
            f"or give your own recordings as NAME=PATH{hint}"
        ) from None
