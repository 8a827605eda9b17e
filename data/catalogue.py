"""The known corpora: which are present, and with how many clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.corpus import Corpus
from data.described.description import described_names
from data.locate import ALL_CORPORA, Located, locate
from data.registry import CORPORA, real_corpora
from data.scanning import scan_corpus
from schemas.clip import Scan
from schemas.errors import CorpusNotFoundError


@dataclass(frozen=True)
class CatalogueEntry:
    """A corpus and, if it is present, its folder and scan."""

    corpus: Corpus
    path: Path | None
    scan: Scan | None

    @property
    def is_common(self) -> bool:
        """Whether the corpus is no rarer one of this package."""
        return self.corpus.name not in described_names()


def catalogue(corpora_root: Path) -> tuple[CatalogueEntry, ...]:
    """All known corpora and all folders with a ``corpus.toml`` under the root, scanned if present."""
    present = dict(_found(ALL_CORPORA, corpora_root))
    for name in CORPORA:
        if name not in real_corpora() and name not in present:
            present.update(_found(name, corpora_root))
    names = [*CORPORA, *(name for name in present if name not in CORPORA)]
    return tuple(
        CatalogueEntry(present[name][0], present[name][1], scan_corpus(*present[name]))
        if name in present
        else CatalogueEntry(CORPORA[name], None, None)
        for name in names
    )


def _found(request: str, root: Path) -> dict[str, tuple[Corpus, Path]]:
    try:
        located: Located = locate(request, root)
    except CorpusNotFoundError:
        return {}
    return {corpus.name: (corpus, path) for corpus, path in located.found}
