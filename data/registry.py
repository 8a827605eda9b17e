"""The known corpora by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from data.corpus import Corpus
from data.cremad import CremaD
from data.demo import DemoCorpus
from data.described.corpus import DescribedCorpus
from data.described.description import described_names
from data.emodb import EmoDb
from data.plugins import OfferedCorpora
from data.ravdess import Ravdess
from data.savee import Savee
from data.tess import Tess
from schemas.errors import CorpusError, UnknownNameError
from schemas.messages.nearest import did_you_mean

_PROGRAMMED: tuple[Corpus, ...] = (Ravdess(), Tess(), Savee(), CremaD(), EmoDb(), DemoCorpus())

COMMON: tuple[str, ...] = tuple(corpus.name for corpus in _PROGRAMMED if corpus.name != "demo")
"""The corpora of published systems. Messages about missing corpora name these, and no others."""

BUILT_IN: Mapping[str, Corpus] = MappingProxyType(
    {corpus.name: corpus for corpus in _PROGRAMMED}
    | {name: DescribedCorpus(name) for name in described_names()}
)
"""Corpora of this package by name."""

CORPORA = OfferedCorpora(BUILT_IN)
"""All known corpora by name, including those of installed packages, in the order of lists and builds."""


def find_corpus(name: str) -> Corpus | None:
    """Corpus by name; None if it is unknown or its package is unusable."""
    try:
        return CORPORA.get(name)
    except CorpusError:
        return None


def is_acted(name: str) -> bool:
    """Whether actors speak in this corpus, as far as this package knows."""
    corpus = BUILT_IN.get(name)
    return corpus is not None and (not isinstance(corpus, DescribedCorpus) or corpus.description.acted)


def real_corpora() -> tuple[str, ...]:
    """Names of the corpora of real speech."""
    return tuple(name for name in CORPORA if name != "demo")


def require_corpus(name: str, hint: str = "") -> Corpus:
    """Corpus by name. Raises :class:`UnknownNameError` with the known names, the closest one and ``hint``."""
    try:
        return CORPORA[name]
    except KeyError:
        raise UnknownNameError(
            f"unknown corpus '{name}'; {did_you_mean(name, CORPORA)}choose one of {', '.join(_listed())} "
            f"(ser-features datasets --all lists more), or give your own recordings as NAME=PATH{hint}"
        ) from None


def _listed() -> tuple[str, ...]:
    """Names for a message: all but those of rarer corpora."""
    return tuple(name for name in CORPORA if name not in described_names())
