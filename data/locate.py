"""Finds the folders of the requested corpora."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.collect import explain_no_audio
from data.corpus import Corpus
from data.emobox.corpus import EmoboxCorpus
from data.emobox.metadata import is_metadata
from data.emobox.recordings import find_recordings
from data.files import holds_audio, list_visible
from data.missing import explain_missing, explain_nothing_found, require_name
from data.open_own import OpenedCorpus, has_table, open_own
from data.own_recordings.description import DESCRIPTION
from data.registry import COMMON, CORPORA, real_corpora, require_corpus
from data.request import Asked, comma_hint, parse_request
from schemas.errors import CorpusError, CorpusNotFoundError, UnknownNameError, UsageError
from schemas.names import fold_name

ALL_CORPORA = "all"
"""Requests all corpora that are present."""


@dataclass(frozen=True)
class Located:
    """The requested corpora that were found, and the other folders next to them."""

    found: tuple[tuple[Corpus, Path], ...]
    """Known corpora in the order of the registry, then own recordings by name."""
    missing: tuple[Corpus, ...] = ()
    """The common corpora that ``all`` requests and that were not found."""
    unrecognised: tuple[str, ...] = ()
    """Folders under the root that belong to no known corpus and contain no ``corpus.toml``."""
    left_out: tuple[str, ...] = ()
    """Folders named like a known corpus that ``all`` does not use: the demo voices, a second folder of a
    corpus, a folder without audio files."""


def locate(request: str, corpora_root: Path) -> Located:
    """Find the corpora in ``request``: ``all``, or a comma-separated list of ``name`` or ``name=PATH``
    (:func:`data.request.parse_request`).

    ``all`` finds the corpora of real speech under ``corpora_root`` and every folder with a ``corpus.toml``.
    It excludes the demo voices: they are synthetic and must be requested by name. ``name=PATH`` with an
    unknown name is a tree with one folder per emotion, or a table (:func:`data.open_own.open_own`). With any
    name, it is a folder of EmoBox's metadata (:mod:`data.emobox.metadata`).

    Raises :class:`UsageError` for a malformed request, :class:`UnknownNameError` for an unknown name,
    :class:`CorpusNotFoundError` if a requested corpus is missing or there are no corpora at all, and
    :class:`CorpusError` if the corpus of an installed package is unusable.
    """
    asked = parse_request(request)
    CORPORA.require_sound()
    folders = _folders(corpora_root)
    found: dict[str, OpenedCorpus] = {
        name: _open_at(name, each, request, corpora_root, folders)
        for name, each in asked.items()
        if each.path is not None
    }
    for name, each in asked.items():
        if name != ALL_CORPORA and each.path is None:
            require_name(request, name)
            found[name] = _find(name, corpora_root, folders, request)
    missing: tuple[Corpus, ...] = ()
    if ALL_CORPORA in asked:
        missing = _add_all(found, folders)
    if not found:
        raise CorpusNotFoundError(explain_nothing_found(corpora_root, folders))
    _check_apart(found)
    taken = {place.resolve() for each in found.values() for place in (each.identity, each.root)}
    rest = [folder for folder in folders if folder.resolve() not in taken]
    return Located(
        found=tuple((found[name].corpus, found[name].root) for name in sorted(found, key=_order)),
        missing=missing,
        unrecognised=tuple(f.name for f in rest if not _is_known(f) and not (f / DESCRIPTION).is_file()),
        left_out=tuple(f.name for f in rest if _is_known(f)) if ALL_CORPORA in asked else (),
    )


def _folders(root: Path) -> tuple[Path, ...]:
    """Visible folders directly under ``root``, sorted; none if ``root`` is not a folder."""
    return tuple(entry for entry in list_visible(root) if entry.is_dir())


def _open_at(
    name: str, asked: Asked, request: str, corpora_root: Path, folders: tuple[Path, ...]
) -> OpenedCorpus:
    path = asked.require_path()
    if path.is_file():
        return open_own(path, name, asked.columns)
    if not path.is_dir():
        raise CorpusNotFoundError(
            f"there is no folder or table '{path}' for the corpus '{name}'; give the path of its folder, or "
            f"of a table of its recordings{comma_hint(request)}"
        )
    if is_metadata(path):
        asked.require_no_columns()
        corpus = EmoboxCorpus.open(path, name)
        dataset, known = corpus.metadata.dataset, corpus.known
        return OpenedCorpus(corpus, find_recordings(path, dataset, known, corpora_root, folders), path)
    if name not in CORPORA and has_table(path):
        return open_own(path, name, asked.columns)
    if not holds_audio(path):
        raise CorpusNotFoundError(
            f"the folder '{path}' for the corpus '{name}' {explain_no_audio(path)}{comma_hint(request)}"
        )
    return _known(CORPORA[name], path) if name in CORPORA else open_own(path, name, asked.columns)


def _known(corpus: Corpus, folder: Path) -> OpenedCorpus:
    return OpenedCorpus(corpus, folder, folder)


def _find(name: str, root: Path, folders: tuple[Path, ...], request: str) -> OpenedCorpus:
    if name in CORPORA:
        own = _folders_of(CORPORA[name], folders)
        if own:
            return _known(CORPORA[name], own[0])
        raise CorpusNotFoundError(explain_missing(CORPORA[name], root, folders))
    described = _open_described(folders)
    if name in described:
        return described[name]
    beside = [folder for folder in folders if fold_name(folder.name) == fold_name(name)]
    if beside and not _is_known(beside[0]):
        raise UnknownNameError(
            f"'{name}' is not a known corpus; if '{beside[0]}' has one folder per emotion, give it as "
            f"{name}={beside[0]}"
        )
    return _known(require_corpus(name, comma_hint(request)), root)


def _add_all(found: dict[str, OpenedCorpus], folders: tuple[Path, ...]) -> tuple[Corpus, ...]:
    missing = []
    for name in real_corpora():
        if name in found:
            continue
        own = _folders_of(CORPORA[name], folders)
        if own:
            found[name] = _known(CORPORA[name], own[0])
        elif name in COMMON:
            missing.append(CORPORA[name])
    given = {each.identity.resolve() for each in found.values()}
    for name, described in _open_described(folders).items():
        if described.identity.resolve() not in given:
            found.setdefault(name, described)
    return tuple(missing)


def _folders_of(wanted: Corpus, folders: tuple[Path, ...]) -> list[Path]:
    """Folders with audio files that are named like the corpus, the best name first."""
    named = (f for name in wanted.folder_names for f in folders if fold_name(f.name) == fold_name(name))
    return [folder for folder in named if holds_audio(folder)]


def _is_known(folder: Path) -> bool:
    """Whether the folder is named like a known corpus."""
    name = fold_name(folder.name)
    return any(name == fold_name(each) for known in CORPORA.values() for each in known.folder_names)


def _open_described(folders: tuple[Path, ...]) -> dict[str, OpenedCorpus]:
    """Own recordings by name: folders with a ``corpus.toml`` that are not named like a known corpus."""
    by_name: dict[str, OpenedCorpus] = {}
    for folder in folders:
        if (folder / DESCRIPTION).is_file() and not _is_known(folder):
            own = open_own(folder)
            first = by_name.setdefault(own.corpus.name, own)
            if first is not own:
                raise CorpusError(
                    f"'{first.identity}' and '{own.identity}' are both named '{own.corpus.name}'; "
                    f"change the name in one {DESCRIPTION}"
                )
    return by_name


def _check_apart(found: Mapping[str, OpenedCorpus]) -> None:
    names: dict[Path, str] = {}
    for name, each in found.items():
        first = names.setdefault(each.identity.resolve(), name)
        if first != name:
            raise UsageError(
                f"'{first}' and '{name}' are the same '{each.identity}'; request only one of them"
            )


def _order(name: str) -> tuple[int, str]:
    return (list(CORPORA).index(name) if name in CORPORA else len(CORPORA)), name
