"""The folder in which this program keeps files that it can always fetch or compute again."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

from featurestore.format.outside import require_outside
from schemas.errors import StorageError
from schemas.files.user_path import expand_home

VARIABLE = "SER_CACHE"
"""Environment variable that sets another folder."""


def cache_folder() -> Path:
    """Absolute path of the cache folder: :data:`VARIABLE` if it is set, else the user's system cache folder.

    It need not exist yet. Raises :class:`StorageError` if the user has no home folder, and
    :class:`UsageError` if the variable names a folder inside a feature store.
    """
    if given := os.environ.get(VARIABLE, "").strip():
        folder = Path(expand_home(given))
        require_outside(folder, VARIABLE)
        return folder.absolute()
    try:
        folder = user_cache_path("ser-features")
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():  # not every release of platformdirs raises without a home folder
        raise StorageError(
            f"cannot find a home folder for the cache; set {VARIABLE} to a folder that you own"
        )
    return folder
