"""The store of a run: how a run names it, and the same one opened again."""

from __future__ import annotations

from pathlib import Path

from featurestore.places.choose import is_url
from featurestore.store import FeatureStore
from schemas.errors import RunError, StoreNotFoundError, UsageError


def same_store(path: Path, given: str | Path | None, recorded: str | None, digest: str) -> FeatureStore:
    """Open the store of the run at ``path``: the one given, else where the run says that it is.

    Raises :class:`UsageError` where neither is known, :class:`RunError` for another store.
    """
    if given is None and recorded is None:
        raise UsageError(
            f"the store of {path} was given as an absolute path or a URL, which a run does not keep; "
            "give --store"
        )
    if given is None and not Path(recorded or "").exists():
        raise StoreNotFoundError(
            f"the run was started with --store {recorded}, and there is none in this folder; "
            "go to the folder where it was started, or give --store"
        )
    where = recorded if given is None else given
    store = FeatureStore.open(where or "")
    if store.digest != digest:
        raise RunError(
            f"store {where} ({store.digest}) is not the one that {path} was trained on ({digest}); give "
            "that one, or start a new run"
        )
    return store


def recorded_store(store: str | Path) -> str | None:
    """Name of a store that a run may keep: a relative path, which tells nothing of the machine."""
    return Path(store).as_posix() if is_relative(store) else None


def is_relative(store: str | Path) -> bool:
    """Whether a run may keep the name of its store: it tells nothing of the machine."""
    return not is_url(store) and not Path(store).is_absolute()
