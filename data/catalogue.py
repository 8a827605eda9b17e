"""Which corpora are known, which are there, and how much of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.corpus import Corpus
from data.locate import Located, locate
from data.registry import CORPORA, real
from data.scanning import scan_of
from schemas.clip import Scan
from schemas.errors import CorpusNotFoundError


@dataclass(frozen=True)
class CatalogueEntry:
    """A corpus and, where it is there, its folder and what a scan of it found."""

    corpus: Corpus
    path: Path | None
    scan: Scan | None


def catalogue(corpora_root: Path) -> tuple[CatalogueEntry, ...]:
    """Every known corpus and every described folder under the root, scanned where they are there."""
    there = dict(_found("all", corpora_root))
    for name in CORPORA:
        if name not in real() and name not in there:
            there.update(_found(name, corpora_root))
    names = [*CORPORA, *(name for name in there if name not in CORPORA)]
    return tuple(
        CatalogueEntry(there[name][0], there[name][1], scan_of(*there[name]))
        if name in there
        else CatalogueEntry(CORPORA[name], None, None)
        for name in names
    )


def _found(request: str, root: Path) -> dict[str, tuple[Corpus, Path]]:
    try:
        located: Located = locate(request, root)
    except CorpusNotFoundError:
        return {}
    return {corpus.name: (corpus, path) for corpus, path in located.found}
