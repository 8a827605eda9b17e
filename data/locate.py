"""From what the user asks for to folders: which corpora are there, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.corpus import Corpus, folded
from data.files import holds_audio
from data.folder import DESCRIPTION, FolderCorpus
from data.missing import not_there, nothing, require_name
from data.registry import CORPORA, corpus, real
from schemas.errors import CorpusError, CorpusNotFoundError, UnknownNameError, UsageError

ALL = "all"
"""Request for every corpus that is there."""


@dataclass(frozen=True)
class Located:
    """What was asked for and is there, and what stands beside it."""

    found: tuple[tuple[Corpus, Path], ...]
    """Known corpora in the order of the registry, then folder corpora by name."""
    missing: tuple[Corpus, ...] = ()
    """Real corpora that ``all`` asks for and that are not there."""
    unrecognised: tuple[str, ...] = ()
    """Folders under the root that belong to no known corpus and hold no ``corpus.toml``."""
    left_out: tuple[str, ...] = ()
    """Folders that ``all`` knows by name and does not take: the demo voices, a second folder of a found
    corpus, one that holds no audio file."""


def locate(request: str, corpora_root: Path) -> Located:
    """Corpora that ``request`` names: ``all``, or names parted by commas, each optionally ``name=PATH``.

    ``all`` takes the real corpora under ``corpora_root`` and every folder with a ``corpus.toml``, never
    the demo voices: they are synthetic and must be asked for by name. A ``name=PATH`` with a name that
    is no known corpus is a folder-per-emotion tree.

    Raises :class:`UsageError` for a malformed request, :class:`UnknownNameError` for a name that is
    nothing, :class:`CorpusNotFoundError` for a corpus that is not there and where nothing is, and
    :class:`CorpusError` for an installed package whose corpus cannot be used.
    """
    asked = _parse(request)
    CORPORA.require_sound()
    folders = _folders(corpora_root)
    found: dict[str, tuple[Corpus, Path]] = {
        name: _at(name, path) for name, path in asked.items() if path is not None
    }
    for name, path in asked.items():
        if name != ALL and path is None:
            require_name(request, name)
            found[name] = _named(name, corpora_root, folders)
    missing: tuple[Corpus, ...] = ()
    if ALL in asked:
        missing = _add_all(found, folders)
    if not found:
        raise CorpusNotFoundError(nothing(corpora_root, folders))
    _check_apart(found)
    taken = {path.resolve() for _, path in found.values()}
    rest = [folder for folder in folders if folder.resolve() not in taken]
    return Located(
        found=tuple(found[name] for name in sorted(found, key=_order)),
        missing=missing,
        unrecognised=tuple(f.name for f in rest if not _known(f) and not (f / DESCRIPTION).is_file()),
        left_out=tuple(f.name for f in rest if _known(f)) if ALL in asked else (),
    )


def _parse(request: str) -> dict[str, Path | None]:
    asked: dict[str, Path | None] = {}
    for item in request.split(","):
        name, sign, path = (part.strip() for part in item.partition("="))
        if not name or (sign and not path):
            raise UsageError(
                f"'{request}' is not a list of corpora; write all, or names parted by commas, each as NAME "
                f"or NAME=PATH"
            )
        place = _expanded(path) if sign else None
        if asked.setdefault(name, place) != place:
            raise UsageError(f"'{name}' is asked for at two places; give it once")
    return asked


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(f"there is no home folder for '{path}'; give the whole path") from error


def _folders(root: Path) -> tuple[Path, ...]:
    """Folders directly under ``root``, hidden ones left out, sorted; none where it is no folder."""
    try:
        return tuple(sorted(entry for entry in root.iterdir() if entry.is_dir() and entry.name[0] != "."))
    except OSError:
        return ()


def _at(name: str, path: Path) -> tuple[Corpus, Path]:
    if not path.is_dir():
        raise CorpusNotFoundError(
            f"there is no folder '{path}' for the corpus '{name}'; give the path of its folder"
        )
    if not holds_audio(path):
        raise CorpusNotFoundError(f"the folder '{path}' for the corpus '{name}' holds no audio file")
    return (CORPORA[name] if name in CORPORA else FolderCorpus.open(path, name)), path


def _named(name: str, root: Path, folders: tuple[Path, ...]) -> tuple[Corpus, Path]:
    if name in CORPORA:
        places = _places(CORPORA[name], folders)
        if places:
            return CORPORA[name], places[0]
        raise CorpusNotFoundError(not_there(CORPORA[name], root, folders))
    described = _described(folders)
    if name in described:
        return described[name]
    beside = [folder for folder in folders if folded(folder.name) == folded(name)]
    if beside and not _known(beside[0]):
        raise UnknownNameError(
            f"'{name}' is no known corpus; if '{beside[0]}' is a tree with one folder an emotion, ask for "
            f"{name}={beside[0]}"
        )
    return corpus(name), root


def _add_all(found: dict[str, tuple[Corpus, Path]], folders: tuple[Path, ...]) -> tuple[Corpus, ...]:
    missing = []
    for name in real():
        if name in found:
            continue
        places = _places(CORPORA[name], folders)
        if places:
            found[name] = (CORPORA[name], places[0])
        else:
            missing.append(CORPORA[name])
    given = {path.resolve() for _, path in found.values()}
    for name, (described, path) in _described(folders).items():
        if path.resolve() not in given:
            found.setdefault(name, (described, path))
    return tuple(missing)


def _places(wanted: Corpus, folders: tuple[Path, ...]) -> list[Path]:
    """Folders that go by a name of the corpus and hold audio, the best name first."""
    named = (f for name in wanted.folder_names for f in folders if folded(f.name) == folded(name))
    return [folder for folder in named if holds_audio(folder)]


def _known(folder: Path) -> bool:
    """Whether the folder goes by a name of a known corpus."""
    name = folded(folder.name)
    return any(name == folded(each) for known in CORPORA.values() for each in known.folder_names)


def _described(folders: tuple[Path, ...]) -> dict[str, tuple[Corpus, Path]]:
    """Folder corpora by name: folders with a ``corpus.toml`` that go by no known corpus's name."""
    described: dict[str, tuple[Corpus, Path]] = {}
    for folder in folders:
        if (folder / DESCRIPTION).is_file() and not _known(folder):
            own = FolderCorpus.open(folder)
            if own.name in described:
                raise CorpusError(
                    f"'{described[own.name][1]}' and '{folder}' are both called '{own.name}'; "
                    f"change name in one {DESCRIPTION}"
                )
            described[own.name] = (own, folder)
    return described


def _check_apart(found: Mapping[str, tuple[Corpus, Path]]) -> None:
    names: dict[Path, str] = {}
    for name, (_, path) in found.items():
        first = names.setdefault(path.resolve(), name)
        if first != name:
            raise UsageError(f"'{first}' and '{name}' are the same folder '{path}'; ask for one of them")


def _order(name: str) -> tuple[int, str]:
    return (list(CORPORA).index(name) if name in CORPORA else len(CORPORA)), name
