"""Why a corpus is not found where it was looked for, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.corpus import Corpus, folded
from data.files import holds_audio
from data.folder import DESCRIPTION, FolderCorpus
from data.recognise import recognise
from data.registry import CORPORA, real
from schemas.errors import UnknownNameError

_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".7z", ".rar"})


def not_there(wanted: Corpus, root: Path, folders: Sequence[Path]) -> str:
    """Sentence about a known corpus that none of ``folders``, those under ``root``, holds."""
    if hint := _itself(root):
        return f"there is no folder of {wanted.name} under '{root}'; {hint}"
    below = _below(folders, (wanted.name,))
    if below is not None:
        return f"there is no folder of {wanted.name} directly under '{root}'; give --corpora {below}"
    own = [folder for folder in folders if _known(folder, (wanted.name,))]
    if archive := _archive((wanted.name,), root, own):
        return f"{wanted.name} is not unpacked: unpack '{archive}' where it lies and run the command again"
    if own:
        return f"the folder '{own[0]}' holds no audio file; {wanted.how_to_get}"
    where = f"under '{root}'" if root.is_dir() else f"because there is no folder '{root}'"
    return (
        f"{wanted.name} is not there {where} (looked for a folder with audio called "
        f"{' or '.join(wanted.folder_names)}); {wanted.how_to_get}, or give its place as {wanted.name}=PATH"
    )


def nothing(root: Path, folders: Sequence[Path]) -> str:
    """Sentence about a root under which there is no corpus that ``all`` takes."""
    if not root.is_dir():
        return (
            f"there is no folder '{root}' to look for corpora in; give the right one as --corpora, or make "
            f"it and put corpora into it"
        )
    if hint := _itself(root):
        return f"there is no corpus under '{root}'; {hint}"
    demo = CORPORA["demo"].folder_names
    if any(folder.name in demo and holds_audio(folder) for folder in folders):
        return (
            f"there is no corpus of real speech under '{root}'; the demo voices are there, but never part of "
            f"'all': ask for them by name, as --datasets demo"
        )
    below = _below(folders, real())
    if below is not None:
        return f"there is no corpus directly under '{root}'; give --corpora {below}"
    if archive := _archive(real(), root, [folder for folder in folders if _known(folder)]):
        return (
            f"there is no corpus under '{root}' but the packed '{archive}'; unpack it where it lies and run "
            f"the command again"
        )
    return (
        f"there is no corpus under '{root}' (looked for folders with audio called {', '.join(real())} and "
        f"the like, and for {DESCRIPTION}); the first to get: {CORPORA[real()[0]].how_to_get}"
    )


def require_name(request: str, name: str) -> None:
    """Raise :class:`UnknownNameError` where ``name``, of the list ``request``, looks like something else."""
    words = name.replace(";", " ").split()
    if len(words) > 1 and all(folded(word) in CORPORA for word in words):
        raise UnknownNameError(
            f"'{request}' is no list of corpora; part the names by commas, as {','.join(map(folded, words))}"
        )
    path = Path(name)
    if path.is_dir() and ("/" in name or path.is_absolute()):
        called = recognise(path) or "mine"
        raise UnknownNameError(
            f"'{name}' is a folder, not the name of a corpus; name it: --datasets {called}={name}"
        )


def _below(folders: Sequence[Path], names: Sequence[str]) -> Path | None:
    """One of ``folders`` that itself holds a folder of one of the corpora: the root was one too high."""
    for folder in folders:
        try:
            inner = [each for each in folder.iterdir() if each.is_dir() and _known(each, names)]
        except OSError:
            continue
        if any(map(holds_audio, inner)):
            return folder
    return None


def _archive(names: Sequence[str], root: Path, own: Sequence[Path]) -> Path | None:
    """A packed file in one of the ``own`` folders of the corpora, or under ``root`` and called like one."""
    for place in (*own, root):
        try:
            packed = sorted(each for each in place.iterdir() if each.suffix.lower() in _ARCHIVES)
        except OSError:
            continue
        for each in packed:
            if place != root or _known(each.with_name(each.name.split(".")[0]), names):
                return each
    return None


def _known(folder: Path, names: Sequence[str] | None = None) -> bool:
    """Whether the folder goes by a name of one of the corpora, without ``names`` of any of real speech."""
    called = folded(folder.name)
    return any(called == folded(each) for name in names or real() for each in CORPORA[name].folder_names)


def _itself(root: Path) -> str:
    """What to do where ``root`` is the folder of one corpus and not of several; empty where it is not."""
    try:
        described = (root / DESCRIPTION).is_file()
    except PermissionError:
        return "permission denied; change its permissions, or give another --corpora"
    if described:
        return f"it is a corpus itself: give it as --datasets {FolderCorpus.open(root).name}={root}"
    name = recognise(root)
    return f"it looks like the folder of {name} itself: give it as --datasets {name}={root}" if name else ""
