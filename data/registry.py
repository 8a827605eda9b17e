"""The corpora that are known by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from data.corpus import Corpus
from data.cremad import CremaD
from data.demo import DemoCorpus
from data.emodb import EmoDb
from data.plugins import Offered
from data.ravdess import Ravdess
from data.savee import Savee
from data.tess import Tess
from schemas.errors import CorpusError, UnknownNameError
from schemas.nearest import did_you_mean

_IN_ORDER: tuple[Corpus, ...] = (Ravdess(), Tess(), Savee(), CremaD(), EmoDb(), DemoCorpus())

BUILT_IN: Mapping[str, Corpus] = MappingProxyType({corpus.name: corpus for corpus in _IN_ORDER})
"""Corpora of this package by name. All are of acted speech."""

CORPORA = Offered(BUILT_IN)
"""All known corpora by name, those of installed packages too, in the order in which they are listed and
built."""


def known(name: str) -> Corpus | None:
    """Corpus by name, to tell of it; None for one that is not known, or of a package that cannot be used."""
    try:
        return CORPORA.get(name)
    except CorpusError:
        return None


def real() -> tuple[str, ...]:
    """Names of the corpora of real speech."""
    return tuple(name for name in CORPORA if name != "demo")


def corpus(name: str) -> Corpus:
    """Corpus by name. Raises :class:`UnknownNameError` with the known names and the nearest one."""
    try:
        return CORPORA[name]
    except KeyError:
        raise UnknownNameError(
            f"unknown corpus '{name}'; {did_you_mean(name, CORPORA)}known are {', '.join(CORPORA)}, and "
            f"recordings of your own are given as NAME=PATH"
        ) from None
