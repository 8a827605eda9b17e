"""Corpora of other installed packages.

A package offers a corpus through an entry point with the corpus's name and the object or class that
implements :class:`data.corpus.Corpus`::

    [project.entry-points."ser_features.corpora"]
    parlour = "parlour:Parlour"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points

from data.corpus import Corpus
from schemas.errors import CorpusError
from schemas.names import fold_name, is_corpus_name

ENTRY_POINT_GROUP = "ser_features.corpora"
"""Group of the entry points through which packages offer corpora."""

_TEXT_FIELDS = ("name", "title", "licence", "home_page", "how_to_get")


class OfferedCorpora(Mapping[str, Corpus]):
    """Built-in corpora in their order, then those of installed packages by name.

    Names are available without importing a package. Looking up a corpus imports its package;
    :meth:`__getitem__` raises :class:`CorpusError` if the import fails or the object is not a corpus.
    """

    def __init__(self, built_in: Mapping[str, Corpus]) -> None:
        self._built_in = built_in
        self._loaded: dict[str, Corpus] = {}

    def __getitem__(self, name: str) -> Corpus:
        if name in self._built_in:
            return self._built_in[name]
        if name not in self._loaded:
            self._loaded[name] = _load(self._offers[name])
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self._offers

    def __iter__(self) -> Iterator[str]:
        yield from self._built_in
        yield from self._offers

    def __len__(self) -> int:
        return len(self._built_in) + len(self._offers)

    def require_sound(self) -> None:
        """Raise :class:`CorpusError` if the corpus of a package is unusable or clashes with another
        corpus.
        """
        seen: dict[str, EntryPoint] = {}
        for offer in self._all_offers:
            _require_own_name(offer, seen.get(offer.name), self._built_in)
            seen[offer.name] = offer
        owners = {fold_name(f): name for name, known in self._built_in.items() for f in known.folder_names}
        for name, offer in self._offers.items():
            for folder in {fold_name(folder) for folder in self[name].folder_names}:
                if folder in owners:
                    raise _unusable(offer, f"its folder name '{folder}' belongs to {owners[folder]}")
                owners[folder] = f"{name} of the package {_package(offer)}"

    @cached_property
    def _all_offers(self) -> tuple[EntryPoint, ...]:
        return tuple(
            sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda each: (each.name, _package(each)))
        )

    @cached_property
    def _offers(self) -> dict[str, EntryPoint]:
        return {offer.name: offer for offer in self._all_offers if offer.name not in self._built_in}


def _require_own_name(offer: EntryPoint, other: EntryPoint | None, built_in: Mapping[str, Corpus]) -> None:
    if offer.name in built_in:
        raise CorpusError(
            f"the package {_package(offer)} offers a corpus '{offer.name}', but that name is taken by a "
            f"built-in corpus; uninstall the package, or have its corpus renamed"
        )
    if other is not None:
        both = f"{_package(other)} and {_package(offer)}"
        raise CorpusError(f"the packages {both} both offer a corpus '{offer.name}'; uninstall one")
    if not is_corpus_name(offer.name):
        raise CorpusError(
            f"the package {_package(offer)} offers a corpus '{offer.name}', which is not a valid "
            f"name: use up to 32 characters of a–z, 0–9, _ and -; have its corpus renamed"
        )


def _load(offer: EntryPoint) -> Corpus:
    try:
        loaded = offer.load()
        corpus = loaded() if isinstance(loaded, type) else loaded
        problem = _problem(offer, corpus)
    except Exception as error:  # any failure of another package's module
        raise _unusable(offer, f"{type(error).__name__}: {error}") from error
    if problem:
        raise _unusable(offer, problem)
    found: Corpus = corpus
    return found


def _problem(offer: EntryPoint, corpus: object) -> str:
    if not isinstance(corpus, Corpus):
        return f"{offer.value} does not implement data.corpus.Corpus"
    for field in _TEXT_FIELDS:
        if not isinstance(getattr(corpus, field), str):
            return f"its {field} is not a string"
    if corpus.name != offer.name:
        return f"its name is '{corpus.name}'"
    folders = corpus.folder_names
    if not isinstance(folders, tuple) or not folders or not all(isinstance(each, str) for each in folders):
        return f"its folder_names are not a tuple of strings: {folders!r}"
    return ""


def _unusable(offer: EntryPoint, why: str) -> CorpusError:
    return CorpusError(
        f"the corpus '{offer.name}' of the package {_package(offer)} is unusable: {why}; repair or "
        f"uninstall the package"
    )


def _package(offer: EntryPoint) -> str:
    """Name and version of the distribution that offers a corpus."""
    return f"{offer.dist.name} {offer.dist.version}" if offer.dist else "without a name"
