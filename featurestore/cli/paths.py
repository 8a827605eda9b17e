"""The types of all parameters that name a file, a folder or a store, for ``typer``'s ``parser``.

They differ in what else a parameter takes: a URL, a name, standard input. All raise
:class:`~schemas.errors.UsageError` for an empty path.
"""

from __future__ import annotations

from pathlib import Path

from featurestore.places.choose import is_url
from schemas.errors import UsageError
from schemas.files.user_path import require_given, user_path

STDIN = "-"


def path_type(text: str | Path) -> Path:
    """A file or folder."""
    return user_path(text)


def place_type(text: str) -> str:
    """A folder or a URL."""
    return require_given(text) if is_url(text) else _found(text)


def resume_type(text: str | Path) -> Path:
    """The folder of a run to resume. Raises :class:`UsageError` for a URL: published runs never change."""
    if is_url(text):
        raise UsageError(f"--resume {text} is a URL, and published runs never change; give a folder")
    return user_path(text)


def recipe_type(text: str) -> str:
    """A TOML file, or the name of a recipe."""
    return _found(text)


def space_type(text: str) -> str:
    """A TOML file, or the name of a search space."""
    return _found(text)


def recording_type(text: str) -> str:
    """A file or folder, or :data:`STDIN`."""
    return text if text == STDIN else _found(text)


def store_or_corpus_type(text: str) -> str:
    """A folder or a URL, or a corpus as NAME or NAME=PATH."""
    return require_given(text) if is_url(text) or "=" in text else _found(text)


def _found(text: str) -> str:
    """The path as it was typed, unless it means another one: messages and records name what was typed."""
    path = user_path(text)
    return text if path == Path(text) else str(path)
