"""Paths as users type them: ``~``, variables that are unset, and accents that a disk stores differently."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.errors import UsageError
from schemas.names import nfc


def user_path(text: str | Path) -> Path:
    """The path that a user means by ``text``: :func:`expand_home`, then :func:`as_on_disk`.

    Raises :class:`UsageError` for an empty path, and for a home folder that is not known.
    """
    return as_on_disk(Path(expand_home(require_given(os.fspath(text)))))


def require_given(text: str) -> str:
    """Return ``text``. Raises :class:`UsageError` if it is empty or blank, as of a variable that is unset."""
    if not text.strip():
        raise UsageError(f"a path is empty ('{text}'); give one; if a variable holds it, set the variable")
    if "\0" in text:
        raise UsageError("a path contains a null character; remove it")
    return text


def expand_home(text: str) -> str:
    """Replace ``~`` or ``~user`` at the start of a path, as a shell does where it sees it.

    A file that is called ``~…`` is found if it exists. Raises :class:`UsageError` if there is no such home
    folder: otherwise a folder would be created whose removal by name removes the home folder.
    """
    if not text.startswith("~"):
        return text
    expanded = os.path.expanduser(text)  # noqa: PTH111 pathlib raises without saying why
    if not expanded.startswith("~") and (os.environ.get("HOME") != "" or text[1:2] not in ("", "/")):
        return expanded
    home = text.partition("/")[0]
    if os.path.lexists(text) and home != "~":
        return text
    raise UsageError(
        f"the home folder '{home}' of '{text}' is not known; give the full path, or ./{text} for a name that "
        f"begins with ~"
    )


def as_on_disk(path: Path) -> Path:
    """``path``, or the only existing one that differs in how accents are written (NFC or NFD).

    A Mac writes ``é`` in file names as two characters, a keyboard as one; both look the same. A part of the
    path that exists in neither form, or in several, stays as it is.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in path.parts[1 if path.anchor else 0 :]:
        found /= part if part.isascii() or os.path.lexists(found / part) else _same_name(found, part)
    return found


def _same_name(folder: Path, name: str) -> str:
    try:
        same = [entry for entry in os.listdir(folder) if nfc(entry) == nfc(name)]  # noqa: PTH208 names only
    except OSError:
        return name
    return same[0] if len(same) == 1 else name
