"""The interface of a corpus: its origin, how to recognise it, and its clips."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from schemas.clip import Scan


@runtime_checkable
class Corpus(Protocol):
    """A collection of labelled recordings.

    A scan reads file names and small tables, if the corpus has any. It never decodes audio.
    """

    @property
    def name(self) -> str:
        """Short name, such as ``cremad``: prefix of clip ids and speakers, and group in a store."""

    @property
    def title(self) -> str:
        """Name as written by its authors."""

    @property
    def licence(self) -> str:
        """Licence or terms of use, in a few words."""

    @property
    def home_page(self) -> str:
        """URL of the corpus's own page; empty if there is none."""

    @property
    def how_to_get(self) -> str:
        """One sentence: where to download the corpus and which folder to put it into."""

    @property
    def expected_clips(self) -> int | None:
        """Number of clips in the complete corpus; None if unknown."""

    @property
    def folder_names(self) -> tuple[str, ...]:
        """Names of its folder under the corpora root, best first, compared by
        :func:`schemas.names.fold_name`.
        """

    def scan(self, root: Path) -> Scan:
        """Find the clips under ``root``, sorted by speaker, then clip id.

        Raises :class:`~schemas.errors.CorpusNotFoundError` if ``root`` is not a folder and
        :class:`~schemas.errors.CorpusError` if the description or speaker table is unusable.
        """
