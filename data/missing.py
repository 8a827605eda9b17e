"""Messages about corpora that were not found, with the next step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.collect import explain_no_audio
from data.corpus import Corpus
from data.files import holds_audio, list_visible
from data.open_own import open_own
from data.own_recordings.description import DESCRIPTION
from data.recognise import recognise
from data.registry import COMMON, CORPORA, real_corpora
from schemas.errors import UnknownNameError
from schemas.files.formats import ARCHIVE_SUFFIXES
from schemas.names import fold_name


def explain_missing(wanted: Corpus, root: Path, folders: Sequence[Path]) -> str:
    """Message about a known corpus that is in none of ``folders``, the folders under ``root``."""
    if hint := _root_hint(root):
        return f"'{root}' does not contain the corpus {wanted.name}; {hint}"
    below = _below(folders, (wanted.name,))
    if below is not None:
        return f"the corpus {wanted.name} is not directly under '{root}'; give --corpora {below}"
    own = [folder for folder in folders if _is_named_like(folder, (wanted.name,))]
    if archive := _archive((wanted.name,), root, own):
        return f"{wanted.name} is still packed; unpack '{archive}' in its folder and run the command again"
    if own:
        return f"the folder '{own[0]}' {explain_no_audio(own[0])}; {wanted.how_to_get}"
    where = f"under '{root}'" if root.is_dir() else f"because there is no folder '{root}'"
    return (
        f"{wanted.name} was not found {where} (looked for a folder with audio files named "
        f"{' or '.join(wanted.folder_names)}); {wanted.how_to_get}, or give its path as {wanted.name}=PATH"
    )


def explain_nothing_found(root: Path, folders: Sequence[Path]) -> str:
    """Message about a root without any corpus that ``all`` finds."""
    if not root.is_dir():
        return (
            f"the corpora folder '{root}' does not exist; give another one with --corpora, or create it and "
            f"put corpora into it"
        )
    if hint := _root_hint(root):
        return f"there is no corpus under '{root}'; {hint}"
    demo = CORPORA["demo"].folder_names
    if any(folder.name in demo and holds_audio(folder) for folder in folders):
        return (
            f"there is no corpus of real speech under '{root}', only the demo voices, which 'all' excludes; "
            f"request them with --datasets demo"
        )
    below = _below(folders, real_corpora())
    if below is not None:
        return f"there is no corpus directly under '{root}'; give --corpora {below}"
    if archive := _archive(real_corpora(), root, [folder for folder in folders if _is_named_like(folder)]):
        return (
            f"there is no corpus under '{root}', only the archive '{archive}'; unpack it in its folder and "
            f"run the command again"
        )
    return (
        f"there is no corpus under '{root}' (looked for {DESCRIPTION} and for folders with audio files "
        f"named like {', '.join(COMMON)} and others); for a first corpus, "
        f"{CORPORA[COMMON[0]].how_to_get}"
    )


def require_name(request: str, name: str) -> None:
    """Raise :class:`UnknownNameError` if ``name``, part of ``request``, is a path or several names."""
    words = name.replace(";", " ").split()
    if len(words) > 1 and all(fold_name(word) in CORPORA for word in words):
        raise UnknownNameError(
            f"'{request}' is not a list of corpora; separate names by commas: "
            f"{','.join(map(fold_name, words))}"
        )
    path = Path(name)
    if path.is_dir() and ("/" in name or path.is_absolute()):
        called = recognise(path) or "mine"
        raise UnknownNameError(
            f"'{name}' is a folder, not the name of a corpus; give it a name: --datasets {called}={name}"
        )


def _below(folders: Sequence[Path], names: Sequence[str]) -> Path | None:
    """One of ``folders`` that contains a folder of one of the corpora, if the root was one level too high."""
    for folder in folders:
        inner = [each for each in list_visible(folder) if each.is_dir() and _is_named_like(each, names)]
        if any(map(holds_audio, inner)):
            return folder
    return None


def _archive(names: Sequence[str], root: Path, own: Sequence[Path]) -> Path | None:
    """An archive in one of the corpora's ``own`` folders, or one in ``root`` that is named like a corpus."""
    for folder in (*own, root):
        packed = [each for each in list_visible(folder) if each.suffix.lower() in ARCHIVE_SUFFIXES]
        for each in packed:
            if folder != root or _is_named_like(each.with_name(each.name.split(".")[0]), names):
                return each
    return None


def _is_named_like(folder: Path, names: Sequence[str] | None = None) -> bool:
    """Whether the folder is named like one of the corpora ``names``, by default those of real speech."""
    called = fold_name(folder.name)
    wanted = names or real_corpora()
    return any(called == fold_name(each) for name in wanted for each in CORPORA[name].folder_names)


def _root_hint(root: Path) -> str:
    """Next step if ``root`` is the folder of one corpus instead of several; empty if it is not."""
    try:
        described = (root / DESCRIPTION).is_file()
    except PermissionError:
        return "permission denied; change its permissions, or give another --corpora"
    if described:
        return f"this folder is itself a corpus; give it as --datasets {open_own(root).corpus.name}={root}"
    name = recognise(root)
    return f"this folder looks like {name} itself; give it as --datasets {name}={root}" if name else ""
