"""Corpora of installed packages, beside those of this one.

A package offers a corpus by an entry point: name of the corpus, and the object or class that is a
:class:`data.corpus.Corpus`::

    [project.entry-points."ser_features.corpora"]
    parlour = "parlour:Parlour"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from data.corpus import Corpus, folded
from schemas.errors import CorpusError
from schemas.names import is_corpus_name

GROUP = "ser_features.corpora"
"""Group of entry points by which packages offer corpora."""


class Offered(Mapping[str, Corpus]):
    """Built-in corpora in their order, then those of installed packages by name.

    Names are known without importing a package; it is imported when its corpus is asked for. Every access
    raises :class:`CorpusError` where a name is offered twice, and :meth:`__getitem__` for a package that does
    not import, or whose corpus is none.
    """

    def __init__(self, built_in: Mapping[str, Corpus]) -> None:
        self._built_in = built_in
        self._offers: Mapping[str, EntryPoint] | None = None
        self._loaded: dict[str, Corpus] = {}

    def __getitem__(self, name: str) -> Corpus:
        if name in self._built_in:
            return self._built_in[name]
        if name not in self._loaded:
            self._loaded[name] = _load(self._found()[name], self._built_in)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self._found()

    def __iter__(self) -> Iterator[str]:
        yield from self._built_in
        yield from self._found()

    def __len__(self) -> int:
        return len(self._built_in) + len(self._found())

    def _found(self) -> Mapping[str, EntryPoint]:
        if self._offers is None:
            self._offers = _offers(self._built_in)
        return self._offers


def _offers(built_in: Mapping[str, Corpus]) -> dict[str, EntryPoint]:
    offers: dict[str, EntryPoint] = {}
    for offer in sorted(entry_points(group=GROUP), key=lambda each: (each.name, _package(each))):
        if offer.name in built_in:
            raise CorpusError(
                f"the package {_package(offer)} offers a corpus '{offer.name}', which is the name of a known "
                f"one; uninstall the package, or have its corpus renamed"
            )
        if offer.name in offers:
            both = f"{_package(offers[offer.name])} and {_package(offer)}"
            raise CorpusError(f"the packages {both} both offer a corpus '{offer.name}'; uninstall one")
        if not is_corpus_name(offer.name):
            raise CorpusError(
                f"the package {_package(offer)} offers a corpus '{offer.name}', which is no name of a "
                f"corpus: up to 32 of a–z, 0–9, _ and -; have its corpus renamed"
            )
        offers[offer.name] = offer
    return offers


def _load(offer: EntryPoint, built_in: Mapping[str, Corpus]) -> Corpus:
    try:
        loaded = offer.load()
        corpus = loaded() if isinstance(loaded, type) else loaded
    except Exception as error:  # whatever a stranger's module does
        raise _unusable(offer, f"{type(error).__name__}: {error}") from error
    if not isinstance(corpus, Corpus):
        raise _unusable(offer, f"{offer.value} has not all that data.corpus.Corpus asks for")
    if corpus.name != offer.name:
        raise _unusable(offer, f"it calls itself '{corpus.name}'")
    theirs = {folded(folder) for folder in corpus.folder_names}
    for known in built_in.values():
        if both := theirs & {folded(folder) for folder in known.folder_names}:
            raise _unusable(offer, f"the folder name '{min(both)}' is that of {known.name}")
    return corpus


def _unusable(offer: EntryPoint, why: str) -> CorpusError:
    return CorpusError(
        f"the corpus '{offer.name}' of the package {_package(offer)} cannot be used: {why}; mend the "
        f"package, or uninstall it"
    )


def _package(offer: EntryPoint) -> str:
    """Name and version of the distribution that offers it."""
    return f"{offer.dist.name} {offer.dist.version}" if offer.dist else "without a name"
