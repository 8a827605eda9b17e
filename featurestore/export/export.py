"""Exports features for other tools: a table with one row per clip and view, one NumPy file per clip, or a
database.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from featurestore.export.content import Content
from featurestore.format.outside import require_outside
from featurestore.places.durable import storage_errors
from featurestore.progress import Progress, Silent
from featurestore.sharing.selection import PartSelection
from featurestore.store import FeatureStore
from schemas.errors import UsageError

Form = Literal["csv", "parquet", "npy", "audformat"]

FORMS: tuple[Form, ...] = get_args(Form)

_FOLDERS: tuple[Form, ...] = ("npy", "audformat")


@dataclass(frozen=True)
class ExportReport:
    """What was written."""

    path: str
    form: Form
    clips: int
    views: tuple[str, ...]
    features: tuple[str, ...]
    columns: int
    """Columns of values in a table; 0 for arrays."""
    left_out: int
    """Clips that are marked bad."""


def export(
    where: str | Path,
    out: Path,
    form: Form | None = None,
    selection: PartSelection | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    """Export the usable clips of the store ``where`` to ``out``; without a choice of views, the originals.

    A table (``csv``, ``parquet``; an existing file is replaced) has what the manifest says of a clip, then
    for each coefficient its mean and population deviation over the clip's valid frames, or the stored number
    of a pooled feature. ``npy`` and ``audformat`` fill a new folder:
    :func:`featurestore.export.arrays.write_arrays`,
    :func:`featurestore.export.audformat_database.write_database`. ``form`` None: by the suffix of ``out``,
    and ``npy`` without one.

    Raises :class:`UsageError` if ``out`` is inside a store, or exists and cannot be replaced, and what
    :meth:`FeatureStore.open` and :meth:`Content.of` raise.
    """
    chosen = form or _form_of(out)
    require_outside(out, "")
    if chosen in _FOLDERS and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"'{out}' exists and is not an empty folder; give the path of a new one")
    if chosen not in _FOLDERS and out.is_dir():
        raise UsageError(f"'{out}' is a folder; give the path of a {chosen} file, or --format npy")
    content = Content.of(FeatureStore.open(where), selection or PartSelection())
    if not len(content.clips):
        raise UsageError(f"'{where}' has no usable clips to export, only {content.left_out:,} bad ones")
    if chosen == "audformat":
        from featurestore.export.audformat_database import require_audformat

        require_audformat(content)
    columns = 0
    with (
        storage_errors(out, "run the same command again"),
        (progress or Silent()).task("export", len(content.clips), "clips") as advance,
    ):
        if chosen == "npy":
            from featurestore.export.arrays import write_arrays

            write_arrays(content, out, advance)
        elif chosen == "audformat":
            from featurestore.export.audformat_database import write_database

            columns = write_database(content, out, advance)
        else:
            from featurestore.export.table import write_table

            columns = write_table(content, out, chosen, advance)
    return ExportReport(
        str(out), chosen, len(content.clips), content.views, content.features, columns, content.left_out
    )


def _form_of(out: Path) -> Form:
    suffix = out.suffix.lower().removeprefix(".")
    if suffix in ("csv", "parquet"):
        return "csv" if suffix == "csv" else "parquet"
    if suffix:
        raise UsageError(f"'{out}' tells no format; end its name in .csv or .parquet, or give --format")
    return "npy"
