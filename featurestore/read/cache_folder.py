"""Where this program keeps what it can always make anew."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

from schemas.errors import StorageError

VARIABLE = "SER_CACHE"
"""Environment variable that names another folder."""


def cache_folder() -> Path:
    """Folder of the user's caches, absolute: that of :data:`VARIABLE`, else the system's own place for them.

    It need not be there yet. Raises :class:`StorageError` for a user who has no home folder.
    """
    if given := os.environ.get(VARIABLE):
        return Path(given).absolute()
    try:
        folder = user_cache_path("ser-features")
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():  # releases of platformdirs differ in what a user without a home meets
        raise StorageError(
            f"there is no home folder for a cache; set {VARIABLE} to a folder that is your own"
        )
    return folder
