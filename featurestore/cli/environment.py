"""What libraries find in the environment of a command: no telemetry, a cache, a user name.

A command should leave nothing outside its cache folder, and must not fail because its user has no name or no
home folder, as in many containers. Must be called before the libraries are imported.
"""

from __future__ import annotations

import atexit
import getpass
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from schemas.errors import StorageError
from schemas.telemetry import disable_telemetry

_FOLDERS = {"MPLCONFIGDIR": "matplotlib", "DASK_CONFIG": "dask", "HF_XET_CACHE": "xet"}
"""Variable that names a folder in which a library writes → its name in this program's cache."""


def prepare_environment() -> None:
    """Set the variables that libraries read. Folders and names that the user has set stay as they are."""
    disable_telemetry()
    _name_user()
    missing = [variable for variable in _FOLDERS if not os.environ.get(variable)]
    if missing and (cache := _writable_cache()) is not None:
        for variable in missing:
            os.environ[variable] = str(cache / _FOLDERS[variable])


def _name_user() -> None:
    """Give a user without an entry in the password file a name: torch and others look one up."""
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        os.environ["LOGNAME"] = str(os.getuid())


def _writable_cache() -> Path | None:
    """The cache folder; where it cannot be written, a folder that is removed at the end; None without one."""
    from featurestore.read.cache_folder import cache_folder

    with suppress(StorageError):  # no home folder
        cache = cache_folder()
        existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
        if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
            return cache
    with suppress(OSError):  # no temporary folder either
        folder = tempfile.mkdtemp(prefix="ser-features-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)
    return None
