"""The store of a run: how the run records it, and how to open it again."""

from __future__ import annotations

from pathlib import Path

from featurestore.places.choose import is_url
from featurestore.store import FeatureStore
from schemas.errors import RunError, StoreNotFoundError, UsageError
from schemas.names import is_utf8


def open_same_store(path: Path, given: str | Path | None, recorded: str | None, digest: str) -> FeatureStore:
    """Open the store of the run at ``path``: the one given, or else the recorded one.

    Raises :class:`UsageError` if neither is known and :class:`RunError` if it is a different store.
    """
    if given is None and recorded is None:
        raise UsageError(
            f"the store of {path} was given as an absolute path, a URL or a path that is not UTF-8, which a "
            "run does not record; give --store"
        )
    if given is None and not Path(recorded or "").exists():
        raise StoreNotFoundError(
            f"the run was started with --store {recorded}, which does not exist in this folder; change to "
            "the folder where it was started, or give --store"
        )
    where = recorded if given is None else given
    store = FeatureStore.open(where or "")
    if store.digest != digest:
        raise RunError(
            f"{path} was trained on another store ({digest}) than {where} ({store.digest}); give that store, "
            "or start a new run"
        )
    return store


def recorded_store(store: str | Path) -> str | None:
    """The store's path as a run records it: if it is UTF-8, and relative, which reveals no machine."""
    return Path(store).as_posix() if is_relative(store) and is_utf8(str(store)) else None


def is_relative(store: str | Path) -> bool:
    """Whether a run records the store's path: it reveals nothing about the machine."""
    return not is_url(store) and not Path(store).is_absolute()
