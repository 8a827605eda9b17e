"""Tables of features as other tools write them, read back and compared with what was written."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from featurestore.imports.source import FeatureSource
from featurestore.imports.tables import TableOptions, read_tables
from schemas.errors import FeatureSourceError

VALUES = np.random.default_rng(1).normal(size=(6, 3))
COLUMNS = ("F0semitone_amean", "loudness", "mfcc1")


def _read(path: Path, key: str | None = None, drop: tuple[str, ...] = ()) -> FeatureSource:
    return read_tables([path], TableOptions(key, drop))


def _index(name: str = "file") -> pd.DataFrame:
    """The index of audformat and opensmile-python: file, start and end."""
    frame = pd.DataFrame(VALUES, columns=list(COLUMNS))
    index = pd.MultiIndex.from_arrays(
        [
            [f"/data/clip{row}.wav" for row in range(6)],
            pd.to_timedelta([0.0] * 6, unit="s"),
            pd.to_timedelta([1.5] * 6, unit="s"),
        ],
        names=[name, "start", "end"],
    )
    return frame.set_index(index)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_table_with_the_index_of_opensmile_python_has_a_vector_per_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    _index().to_csv(path) if name.endswith("csv") else _index().to_parquet(path)
    source = _read(path)
    assert source.columns == COLUMNS
    assert source.shape == (3,)
    assert source.names == (name,)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [entry.key for entry in source.entries] == [f"/data/clip{row}.wav" for row in range(6)]
    np.testing.assert_array_equal([entry.load() for entry in source.entries], VALUES)


def test_the_csv_of_smilextract_has_frames_and_quoted_names(tmp_path: Path) -> None:
    path = tmp_path / "lld.csv"
    lines = ["name;frameTime;F0semitone_amean;loudness;mfcc1"]
    for row in range(6):
        numbers = ";".join(repr(float(value)) for value in VALUES[row])
        lines.append(f"'clip{row // 4}';{0.01 * (row % 4)};{numbers}")
    path.write_text("\n".join(lines) + "\n")
    source = _read(path)
    assert [(entry.key, entry.shape) for entry in source.entries] == [("clip0", (4, 3)), ("clip1", (2, 3))]
    assert source.shape == (4, 3)
    np.testing.assert_array_equal(source.entries[0].load(), VALUES[:4])
    np.testing.assert_array_equal(source.entries[1].load(), VALUES[4:])


def test_segments_of_a_file_are_frames_in_the_order_of_their_start(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    frame = _index().reset_index()
    frame["file"] = "a.wav"
    frame["start"] = pd.to_timedelta(range(6), unit="s")
    frame.to_csv(path, index=False)
    (entry,) = _read(path).entries
    np.testing.assert_array_equal(entry.load(), VALUES)
    frame[::-1].to_csv(path, index=False)
    with pytest.raises(FeatureSourceError, match=r"'a.wav' .* not in the order of start; sort the table"):
        _read(path)


def test_a_column_of_words_is_named_and_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "nkululeko.csv"
    frame = _index().reset_index()
    frame.insert(3, "emotion", "angry")
    frame.to_csv(path, index=False)
    with pytest.raises(FeatureSourceError, match="not numbers: emotion; leave them out with --drop emotion"):
        _read(path)
    source = _read(path, drop=("emotion",))
    assert source.columns == COLUMNS
    np.testing.assert_array_equal([entry.load() for entry in source.entries], VALUES)


def test_the_column_of_names_is_found_by_name_or_given(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    _index("recording").reset_index().to_csv(path, index=False)
    with pytest.raises(FeatureSourceError, match=r"no column .* with --key COLUMN"):
        _read(path)
    with pytest.raises(FeatureSourceError, match="no column 'recordin'; it has recording, start, end"):
        _read(path, key="recordin")
    assert _read(path, key="recording").entries[0].key == "/data/clip0.wav"


def test_names_of_digits_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("name,x,y,\n0001,1,2,\n0002,3,4,\n")
    source = _read(path)
    assert source.columns == ("x", "y")
    assert {entry.key: entry.load().tolist() for entry in source.entries} == {"0001": [1, 2], "0002": [3, 4]}
    path.write_text("name,x,y\n0001,1,2,\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [entry.load().tolist() for entry in _read(path).entries] == [[1, 2]]
    path.write_text("take;x\n007;1\n")
    assert [entry.key for entry in _read(path, key="take").entries] == ["007"]


def test_row_numbers_that_pandas_wrote_are_no_feature(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    _index().reset_index().to_csv(path)
    source = _read(path)
    assert source.columns == COLUMNS
    np.testing.assert_array_equal([entry.load() for entry in source.entries], VALUES)


def test_two_rows_without_a_time_are_not_frames(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("file,x\na,1\nb,2\na,3\n")
    with pytest.raises(FeatureSourceError, match=r"rows 1 and 3 .* both name the clip 'a'"):
        _read(path)


def test_several_tables_are_one_source_with_the_hash_of_the_list(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("file,x\na,1\n")
    two.write_text("file,x\nb,2\n")
    source = read_tables([two, one], TableOptions())
    lines = "".join(f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in (one, two))
    assert source.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert {entry.key: entry.load().tolist() for entry in source.entries} == {"b": [2.0], "a": [1.0]}
    two.write_text("file,y\nb,2\n")
    with pytest.raises(FeatureSourceError, match="other columns"):
        read_tables([one, two], TableOptions())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a table that can be read"),
        ("file,x\n", "has no rows"),
        ("@relation openSMILE\n", "is an ARFF file"),
        ("file,start\na,1\n", "no columns besides file, start"),
        ("file,x\na,1,3\nb,2\n", "has 3 values in line 2, but 2 columns; correct the line"),
    ],
)
def test_what_is_no_table_of_features_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(FeatureSourceError, match=message):
        _read(path)
