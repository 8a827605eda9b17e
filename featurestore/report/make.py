"""Make the report of a store: one file, written completely or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from featurestore.format.outside import require_outside
from featurestore.places.choose import is_url
from featurestore.places.durable import storage_errors, write_durably
from featurestore.progress import Progress, Silent
from featurestore.report.findings import StoreFindings, examine
from featurestore.report.page import render_page
from featurestore.store import FeatureStore
from schemas.errors import UsageError


@dataclass(frozen=True)
class Report:
    """The path of the page, its size in bytes, and the findings on it."""

    path: Path
    bytes: int
    findings: StoreFindings


def make_report(where: str | Path, out: Path | None, progress: Progress | None = None) -> Report:
    """Examine the store at a path or URL and write its page to ``out``, replacing an existing file.

    If ``out`` is None, the page is ``<name of the store>-report.html`` in the working folder. The same store
    gives the same page, except for the date of its ``store.json``. Raises :class:`UsageError` if ``out`` is a
    URL, a folder, or inside a store, and what :meth:`FeatureStore.open` and :meth:`FeatureStore.read`
    raise; nothing is written then.
    """
    name = store_name(where)
    target = out if out is not None else Path(f"{name}-report.html")
    _require_file(target)
    store = FeatureStore.open(where)
    found = examine(store, progress or Silent())
    content = render_page(name, found).encode()
    with storage_errors(target, retry="run the same command again"):
        write_durably(target, content)
    return Report(target, len(content), found)


def store_name(where: str | Path) -> str:
    """Name of a store: the last part of its path or URL, without ``.zarr``."""
    text = str(where).rstrip("/")
    if is_url(text):
        url = urlsplit(text)
        last = url.path.rstrip("/").rsplit("/", 1)[-1] or url.hostname or ""
    else:
        last = Path(text).resolve().name
    return re.sub(r"[^\w.+@-]", "-", last.removesuffix(".zarr")) or "store"


def _require_file(target: Path) -> None:
    require_outside(target, "--out")
    if target.is_dir():
        raise UsageError(f"--out {target} is a folder; give a file name such as {target / 'report.html'}")
