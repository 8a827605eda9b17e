"""Exports an audformat database: a table of what the manifest says of clips, and one of their features."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from featurestore.export.content import Content
from featurestore.export.table import FACTS, read_frames, value_columns
from featurestore.places.durable import make_folders, sync_folder
from featurestore.progress import Advance
from schemas.errors import UsageError
from schemas.labels import Gender, sort_emotions
from schemas.tables import OPTIONAL_COLUMNS
from schemas.views import ORIGINAL

if TYPE_CHECKING:
    import audformat

CLIPS, FEATURES = "clips", "features"
"""Names of the tables."""

_NOT_COLUMNS = ("path", "gender", "dataset", "view", "start_s", "end_s")
"""Facts that are in the index or in a scheme, or that have only one value."""


def require_audformat(content: Content) -> None:
    """Raise :class:`UsageError` if the library is missing, or if other views than the original are wanted."""
    if find_spec("audformat") is None:
        raise UsageError(
            "--format audformat needs the package audformat, which is not installed; "
            "pip install 'ser-features[audformat]'"
        )
    if content.views != (ORIGINAL,):
        raise UsageError(
            "an audformat database has one row per recording, but several views were asked for; leave out "
            "--views, or choose --format parquet"
        )


def write_database(content: Content, out: Path, advance: Advance) -> int:
    """Fill the new folder ``out`` with a database; returns the number of columns with values.

    Files and speakers are named as in their corpus, and ``CORPUS/…`` if there are several. ``out`` appears
    when everything is in it.
    """
    values = tuple(value_columns(content))
    frame = pd.concat(read_frames(content, values, advance), ignore_index=True)
    make_folders(out.parent)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", pd.errors.PerformanceWarning
            )  # the library adds columns one by one
            _database_of(content, frame, values).save(str(partial), storage_format="parquet")
        partial.chmod(0o755)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_folder(out.parent)
    return len(values)


def _database_of(content: Content, frame: pd.DataFrame, values: tuple[str, ...]) -> audformat.Database:
    import audformat

    corpora = {name: content.store.document.datasets[name] for name in frame["dataset"].unique()}
    several = len(corpora) > 1
    speakers = frame["speaker"] if several else frame["speaker"].str.partition("/")[2]
    files = frame["dataset"] + "/" + frame["path"] if several else frame["path"]
    made = audformat.Database(
        "-".join(corpora),
        source=", ".join(corpus.home_page for corpus in corpora.values() if corpus.home_page) or "not stated",
        usage=audformat.define.Usage.OTHER,
        license="; ".join(dict.fromkeys(corpus.licence for corpus in corpora.values())),
        description="; ".join(corpus.title for corpus in corpora.values()),
        meta={"store": content.store.digest},
    )
    made.schemes["emotion"] = audformat.Scheme(labels=[*sort_emotions(frame["emotion"].unique())])
    made.schemes["speaker"] = audformat.Scheme(
        labels={
            speaker: {} if gender == Gender.UNKNOWN else {"gender": gender}
            for speaker, gender in sorted({*zip(speakers, frame["gender"], strict=True)})
        }
    )
    index = audformat.filewise_index(files.tolist())
    if {"start_s", "end_s"} & {*frame.columns}:
        starts, ends = (_times(frame, name) for name in ("start_s", "end_s"))
        index = audformat.segmented_index(
            files.tolist(), starts.fillna(pd.Timedelta(0)).tolist(), ends.tolist()
        )
    facts = [name for name in (*FACTS, *OPTIONAL_COLUMNS.names) if name in frame and name not in _NOT_COLUMNS]
    for table, columns in ((CLIPS, facts), (FEATURES, values)):
        made[table] = audformat.Table(index)
        for column in columns:
            made[table][column] = audformat.Column(scheme_id=_scheme_of(made, column, frame[column]))
            made[table][column].set((speakers if column == "speaker" else frame[column]).to_numpy())
    return made


def _times(frame: pd.DataFrame, name: str) -> pd.Series:
    """Times in seconds as those of pandas; NaT for none."""
    seconds = frame[name] if name in frame else pd.Series(float("nan"), index=frame.index)
    return pd.to_timedelta(seconds.astype(float), unit="s")


def _scheme_of(made: audformat.Database, column: str, values: pd.Series) -> str:
    """Name of the scheme of a column; adds one if the column is the first of its type."""
    import audformat

    if column in made.schemes:
        return column
    kind = "float" if pd.api.types.is_numeric_dtype(values) else "str"
    if kind not in made.schemes:
        made.schemes[kind] = audformat.Scheme(kind)
    return kind
