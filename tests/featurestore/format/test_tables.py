"""Tables from a stranger: what is refused before it is decoded, and what may not stand in them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numcodecs
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featurestore.format.documents import DatasetEntry
from featurestore.format.statistics import STATISTICS_SCHEMA
from featurestore.format.tables import read_table
from featurestore.read.table_values import read_manifest, read_statistics, read_views
from schemas.errors import StoreDamagedError
from schemas.spec import StoreSpec
from schemas.tables import MANIFEST_SCHEMA, OPTIONAL_COLUMNS, VIEWS_SCHEMA, manifest_schema
from tests.hostile.parquet import data_page, dictionary_page, varint, with_chunk, write

SPEC = StoreSpec.model_validate(
    {
        "features": [{"kind": "mfcc", "n_mfcc": 13}, {"kind": "rms"}],
        "views": [{"name": "noise", "kind": "noise", "snr_db": [10.0, 20.0]}],
    }
)
CLIPS = 300


def entries(clips: int = CLIPS, rows: int = CLIPS + 5, bad: int = 1) -> dict[str, DatasetEntry]:
    units = -(-rows // 256)
    entry = DatasetEntry(
        title="", licence="", home_page="", rows=rows, clips=clips, bad=bad, ignored=0, units=units
    )
    return {"made": entry}


def manifest_rows() -> list[dict[str, Any]]:
    """Rows 0 to 304 but 7, 100, 101, 200 and 300, which are vacant; row 3 is bad."""
    rows = [row for row in range(CLIPS + 5) if row not in {7, 100, 101, 200, 300}]
    return [
        {
            "clip_id": f"made/{row:04d}",
            "dataset": "made",
            "row": row,
            "path": f"s{row // 100}/{row:04d}.wav",
            "audio_sha256": None if row == 3 else f"{row:064x}",
            "speaker": f"made/s{row // 100}",
            "gender": "female",
            "emotion": "happy",
            "label": "HAP",
            "intensity": "",
            "sentence": "Straße 漢字",
            "status": "bad" if row == 3 else "ok",
            "problem": "no sound" if row == 3 else "",
        }
        for row in rows
    ]


def views_rows() -> list[dict[str, Any]]:
    return [
        {
            "clip_id": clip["clip_id"],
            "dataset": clip["dataset"],
            "row": clip["row"],
            "view": view,
            "name": ("original", "noise")[view],
            "kind": ("original", "noise")[view],
            "parameter": None if view == 0 or clip["status"] == "bad" else 12.5,
            "key": f"{view:032x}",
            "valid_frames": 0 if clip["status"] == "bad" else 100,
        }
        for clip in manifest_rows()
        for view in (0, 1)
    ]


def statistics_rows() -> list[dict[str, Any]]:
    groups = sorted({(clip["row"] // 256, clip["speaker"]) for clip in manifest_rows()})
    return [
        {
            "dataset": "made",
            "unit": unit,
            "speaker": speaker,
            "view": view,
            "feature": feature,
            "count": 100,
            "mean": [1.5] * size,
            "m2": [0.25] * size,
        }
        for unit, speaker in groups
        for view in (0, 1)
        for feature, size in SPEC.coefficients.items()
    ]


def table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def manifest_frame() -> pd.DataFrame:
    return read_manifest(write(table(manifest_rows(), MANIFEST_SCHEMA)), entries())


def test_sound_tables_come_as_pandas_reads_them() -> None:
    manifest = write(table(manifest_rows(), MANIFEST_SCHEMA))
    views = write(table(views_rows(), VIEWS_SCHEMA), use_dictionary=False)
    statistics = write(table(statistics_rows()[::-1], STATISTICS_SCHEMA), row_group_size=7)
    frame = read_manifest(manifest, entries())
    pd.testing.assert_frame_equal(frame, pd.read_parquet(pa.BufferReader(manifest)))
    pd.testing.assert_frame_equal(read_views(views, frame, SPEC), pd.read_parquet(pa.BufferReader(views)))
    read = read_statistics(statistics, frame, SPEC)
    assert len(read) == 20
    assert sorted({len(mean) for mean in read["mean"]}) == [1, 13]


def test_text_that_outgrew_its_dictionary_is_read_whole() -> None:
    words = [f"{index:08d}" * 20 for index in range(20_000)]
    schema = pa.schema([pa.field("word", pa.string(), nullable=False)])
    data = write(pa.table({"word": words}, schema=schema))
    assert "PLAIN" in pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0).column(0).encodings
    assert read_table(data, "x", schema, 20_000)["word"].to_pylist() == words


def test_empty_tables_are_tables() -> None:
    frame = read_manifest(write(MANIFEST_SCHEMA.empty_table()), entries(0, 0, 0))
    assert len(frame) == 0
    assert len(read_views(write(VIEWS_SCHEMA.empty_table()), frame, SPEC)) == 0
    assert len(read_statistics(write(STATISTICS_SCHEMA.empty_table()), frame, SPEC)) == 0


def _set(at: int, /, **values: Any) -> Callable[[list[dict[str, Any]]], None]:
    return lambda rows: rows[at].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set(5, dataset="other"), r"row 5 has 'other' as dataset, expected 'made'"),
        (_set(5, row=305), r"the rows of made do not increase within 0 to 304"),
        (_set(0, row=-1), r"the rows of made do not increase"),
        (_set(6, row=5), r"the rows of made do not increase"),
        (_set(299, row=305), r"the rows of made do not increase within 0 to 304"),
        (_set(9, clip_id="made/0003"), r"the clip_id 'made/0003' appears twice"),
        (_set(9, status="fine"), r"row 9 has 'fine' as status"),
        (_set(9, status="bad"), r"2 clips of made are bad, expected 1"),
        (_set(9, emotion="Hungry"), r"row 9 has 'Hungry' as emotion"),
        (_set(9, gender=""), r"row 9 has '' as gender"),
        (_set(9, audio_sha256="A" * 64), r"row 9 has 'AAA.* as audio_sha256"),
        (_set(9, path="/etc/passwd"), r"row 9 has '/etc/passwd' as path"),
        (_set(9, path="a/../../b.wav"), r"row 9 has 'a/\.\./\.\./b\.wav' as path"),
        (_set(9, path=".."), r"row 9 has '\.\.' as path"),
        (_set(9, path="a\0b"), r"row 9 has 'a\\x00b' as path"),
        (_set(9, problem="x" * 40_000), r"column 'problem' contains a text of 40,000 bytes"),
        (lambda rows: rows.pop(), r"it has 299 rows, expected 300"),
    ],
)
def test_a_manifest_that_cannot_be_true_is_refused(
    change: Callable[[list[dict[str, Any]]], None], message: str
) -> None:
    rows = manifest_rows()
    change(rows)
    with pytest.raises(StoreDamagedError, match=message):
        read_manifest(write(table(rows, MANIFEST_SCHEMA)), entries())


OPTIONAL: dict[str, Any] = {
    "language": "de",
    "session": "1",
    "split": "",
    "start_s": 0.5,
    "end_s": 2.0,
    "valence": 3.5,
    "arousal": None,
    "dominance": -1.0,
}


def _with_optional(*names: str) -> list[dict[str, Any]]:
    return [
        row
        | {
            name: OPTIONAL[name] if index % 2 else "" if isinstance(OPTIONAL[name], str) else None
            for name in names
        }
        for index, row in enumerate(manifest_rows())
    ]


@pytest.mark.parametrize("names", [("valence",), ("language", "session"), ("start_s", "end_s", "dominance")])
def test_a_manifest_may_have_optional_columns(names: tuple[str, ...]) -> None:
    data = write(table(_with_optional(*names), manifest_schema(names)))
    frame = read_manifest(data, entries())
    pd.testing.assert_frame_equal(frame, pd.read_parquet(pa.BufferReader(data)))
    assert [*frame.columns] == [*MANIFEST_SCHEMA.names, *names]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"valence": float("nan")}, "row 9 has nan as valence, expected a finite number"),
        ({"arousal": float("inf")}, "row 9 has inf as arousal"),
        ({"start_s": -0.5}, "row 9 has -0.5 as start_s"),
        ({"end_s": 0.0}, "row 9 has 0.0 as end_s"),
        ({"start_s": 2.0, "end_s": 2.0}, "row 9 has 2.0 as end_s, expected more seconds than start_s"),
        ({"valence": None}, "no row has a value in its column 'valence'"),
        ({"session": ""}, "no row has a value in its column 'session'"),
    ],
)
def test_optional_columns_that_cannot_be_true_are_refused(values: dict[str, Any], message: str) -> None:
    rows = [row | ({"session": ""} if "session" in values else {}) for row in manifest_rows()]
    rows[9] |= values
    with pytest.raises(StoreDamagedError, match=message):
        read_manifest(write(table(rows, manifest_schema(values))), entries())


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            pa.schema([*MANIFEST_SCHEMA, pa.field("colour", pa.string())]),
            "do not add up to 300 rows of 22 columns",
        ),
        (
            pa.schema([*MANIFEST_SCHEMA, pa.field("valence", pa.string())]),
            "its column 'valence' has the type string, expected double",
        ),
        (
            pa.schema(
                [*MANIFEST_SCHEMA, OPTIONAL_COLUMNS.field("valence"), OPTIONAL_COLUMNS.field("start_s")]
            ),
            "has a column 'valence', expected 'start_s'",
        ),
        (
            pa.schema([OPTIONAL_COLUMNS.field("valence"), *MANIFEST_SCHEMA]),
            "has a column 'valence', expected",
        ),
    ],
)
def test_other_columns_are_refused(schema: pa.Schema, message: str) -> None:
    with pytest.raises(StoreDamagedError, match=message):
        read_manifest(write(table(manifest_rows(), schema)), entries())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set(4, clip_id="made/0003"), r"row 4 has 'made/0003' as clip_id, expected 'made/0002'"),
        (_set(4, row=9), r"row 4 has 9 as row, expected 2"),
        (_set(5, view=0), r"row 5 has 0 as view, expected 1"),
        (_set(5, name="loud"), r"row 5 has 'loud' as name, expected 'noise'"),
        (_set(5, kind="pitch"), r"row 5 has 'pitch' as kind"),
        (_set(5, key="xyz"), r"row 5 has 'xyz' as key"),
        (_set(5, valid_frames=SPEC.frames + 1), r"as valid_frames, expected 0 to 130"),
        (_set(5, valid_frames=-1), r"row 5 has -1 as valid_frames"),
        (_set(7, valid_frames=1), r"row 7 has 1 as valid_frames"),
        (_set(4, parameter=1.0), r"row 4 has 1\.0 as parameter"),
    ],
)
def test_views_that_cannot_be_true_are_refused(
    change: Callable[[list[dict[str, Any]]], None], message: str
) -> None:
    rows = views_rows()
    change(rows)
    with pytest.raises(StoreDamagedError, match=message):
        read_views(write(table(rows, VIEWS_SCHEMA)), manifest_frame(), SPEC)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set(0, speaker="made/nobody"), r"a group .*made/nobody.* that the store does not have"),
        (_set(0, unit=9), r"that the store does not have"),
        (_set(0, view=2), r"that the store does not have"),
        (_set(0, feature="chroma"), r"that the store does not have"),
        (_set(2, view=0), r"a group twice"),
        (_set(0, mean=[1.0] * 12), r"a mean does not have one number per coefficient"),
        (_set(0, m2=[1.0] * 14), r"announces|an? m2 does not have one number per coefficient"),
        (_set(0, m2=[-1.0] * 13), r"an m2 is negative"),
        (_set(0, mean=[float("nan")] * 13), r"a mean is not finite"),
        (_set(0, mean=[1e308] * 13), r"a value of mean is beyond what numbers in float32 can have"),
        (_set(0, mean=[-1e308] * 13), r"a value of mean is beyond what numbers in float32 can have"),
        (_set(0, m2=[1e308] * 13), r"a value of m2 is beyond what numbers in float32 can have"),
        (_set(0, mean=[None] * 13), r"a mean is not finite"),
        (_set(0, count=10**9), r"row 0 has 1000000000 as count"),
        (lambda rows: rows.pop(), r"it has 19 rows, expected 20"),
    ],
)
def test_statistics_that_cannot_be_true_are_refused(
    change: Callable[[list[dict[str, Any]]], None], message: str
) -> None:
    rows = statistics_rows()
    change(rows)
    with pytest.raises(StoreDamagedError, match=message):
        read_statistics(write(table(rows, STATISTICS_SCHEMA)), manifest_frame(), SPEC)


NUMBERS = pa.schema([pa.field("n", pa.int64(), nullable=False)])
LISTS = pa.schema([pa.field("n", pa.list_(pa.float64()), nullable=False)])
TEXT = pa.schema([pa.field("n", pa.string(), nullable=False)])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (pa.table({"n": pa.array(["1"] * 9)}), "type string"),
        (pa.table({"n": pa.array([1] * 9)}), "type int64"),  # may hold nulls
        (pa.table({"n": pa.array([1] * 9, pa.int32())}), "type int32"),
        (pa.table({"n": pa.array([1] * 9, pa.timestamp("us", "UTC"))}), "type timestamp"),
        (pa.table({"m": pa.array([1] * 9)}), "column 'm', expected 'n'"),
        (pa.table({"n": pa.array([1] * 9), "m": pa.array([1] * 9)}), "9 rows of 1 columns"),
        (pa.table({"n": pa.array([{"a": 1}] * 9)}), "."),
        (pa.table({"n": pa.array([[[[1]]]] * 9)}), "."),
    ],
)
def test_another_type_or_column_is_refused(made: pa.Table, message: str) -> None:
    with pytest.raises(StoreDamagedError, match=message):
        read_table(write(made), "x", NUMBERS, 9)


@pytest.mark.parametrize("codec", ["snappy", "gzip", "brotli", "lz4"])
def test_a_codec_that_the_format_does_not_name_is_refused(codec: str) -> None:
    data = write(pa.table({"n": [1] * 9}, schema=NUMBERS), compression=codec)
    with pytest.raises(StoreDamagedError, match="compressed by codec"):
        read_table(data, "x", NUMBERS, 9)


@pytest.mark.parametrize(
    "options",
    [
        {"data_page_version": "2.0"},
        {"use_dictionary": False, "column_encoding": "DELTA_BINARY_PACKED"},
        {"use_dictionary": False, "column_encoding": "BYTE_STREAM_SPLIT"},
    ],
)
def test_an_encoding_that_the_format_does_not_name_is_refused(options: dict[str, Any]) -> None:
    data = write(pa.table({"n": [1] * 9}, schema=NUMBERS), **options)
    with pytest.raises(StoreDamagedError, match=r"a page (is|has an encoding)"):
        read_table(data, "x", NUMBERS, 9)


def test_metadata_of_pandas_is_not_followed() -> None:
    made = pa.table({"n": [1, 2]}, schema=NUMBERS).replace_schema_metadata(
        {b"pandas": b'{"index_columns": ["n"], "columns": [], "column_indexes": []}'}
    )
    read = read_table(write(made), "x", NUMBERS, 2)
    assert read.schema.metadata is None
    assert list(read.to_pandas().columns) == ["n"]


def test_a_short_text_repeated_to_a_gigabyte_is_refused() -> None:
    made = pa.table({"n": pa.DictionaryArray.from_arrays(np.zeros(50_000, np.int32), ["x" * 30_000])})
    data = write(
        made.cast(pa.schema([pa.field("n", pa.dictionary(pa.int32(), pa.string()), nullable=False)])),
        store_schema=False,
    )
    assert len(data) < 100_000
    with pytest.raises(StoreDamagedError, match="column 'n' would take 1,500,000,000 bytes"):
        read_table(data, "x", TEXT, 50_000)


def test_text_that_is_not_utf_8_is_refused() -> None:
    made = pa.table(
        {"n": pa.array([b"\xff\xfe"], pa.binary())},
        schema=pa.schema([pa.field("n", pa.binary(), nullable=False)]),
    )
    named = (
        made.cast(TEXT, safe=False)
        if False
        else pa.Table.from_arrays(
            [pa.Array.from_buffers(pa.string(), 1, made["n"].chunk(0).buffers())], schema=TEXT
        )
    )
    with pytest.raises(StoreDamagedError, match="UTF"):
        read_table(write(named), "x", TEXT, 1)


def test_a_page_that_expands_is_refused_before_it_is_decompressed() -> None:
    data = write(
        pa.table({"n": np.random.default_rng(0).integers(0, 2**62, 20_000)}, schema=NUMBERS),
        use_dictionary=False,
    )
    length = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0).column(0).total_compressed_size
    size = 2**28
    frame = numcodecs.Zstd(level=1).encode(np.zeros(size, np.uint8))
    padded = next(
        page
        for skipped in range(length)
        if len(
            page := data_page(20_000, size, frame + struct.pack("<II", 0x184D2A50, skipped) + bytes(skipped))
        )
        == length
    )
    bomb = with_chunk(data, 0, padded)
    assert pq.read_table(pa.BufferReader(bomb)).num_rows == 20_000  # it would be believed
    with pytest.raises(StoreDamagedError, match="column 'n' would take 268,435,456 bytes"):
        read_table(bomb, "x", NUMBERS, 20_000)


def test_a_list_repeated_without_end_is_refused_before_it_is_decoded() -> None:
    data = write(pa.table({"n": [[1.0] * 20_000]}, schema=LISTS), compression="none")
    length = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0).column(0).total_compressed_size
    many = 10**9

    def run(value: int, count: int) -> bytes:
        return varint(count << 1) + bytes([value])

    levels = [run(0, 1) + run(1, many - 1), run(2, many)]
    body = b"".join(struct.pack("<I", len(level)) + level for level in levels) + b"\1" + run(0, many)
    words = dictionary_page(1, 8, struct.pack("<d", 1.0))
    padded = next(
        page
        for extra in range(length)
        if len(page := words + data_page(many, len(body) + extra, body + bytes(extra), 8)) == length
    )
    with pytest.raises(StoreDamagedError, match="1,000,000,000 values in one"):
        read_table(with_chunk(data, 0, padded), "x", LISTS, 1, most_values=20_000)


def test_lists_longer_than_the_feature_are_refused_before_they_are_decoded() -> None:
    data = write(pa.table({"n": [[1.0] * 14]}, schema=LISTS))
    with pytest.raises(StoreDamagedError, match="14 values in one"):
        read_table(data, "x", LISTS, 1, most_values=13)


def test_a_table_cut_into_crumbs_is_refused() -> None:
    made = pa.table({"n": np.arange(20_000)}, schema=NUMBERS)
    with pytest.raises(StoreDamagedError, match="cut into 2,000 row groups"):
        read_table(write(made, row_group_size=10), "x", NUMBERS, 20_000)
    with pytest.raises(StoreDamagedError, match="bytes in 335 pages"):
        read_table(
            write(made, use_dictionary=False, data_page_size=1, write_batch_size=16), "x", NUMBERS, 20_000
        )


def test_a_million_columns_are_refused() -> None:
    footer_alone = write(pa.table({f"c{index}": [1] for index in range(30_000)}))
    with pytest.raises(StoreDamagedError, match="x is damaged"):
        read_table(footer_alone, "x", NUMBERS, 1)


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"PAR1" * 3, b"PAR1" + b"\xff" * 8 + b"PAR1", b"PK\3\4" + bytes(60)]
)
def test_what_is_no_parquet_is_refused(data: bytes) -> None:
    with pytest.raises(StoreDamagedError, match="x is damaged"):
        read_table(data, "x", NUMBERS, 1)


def test_flipped_bytes_are_an_error_or_the_same_schema() -> None:
    """Whatever the bytes, what comes is a table as asked for or the one error."""
    data = write(table(manifest_rows(), MANIFEST_SCHEMA))
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(600):
        changed = bytearray(data)
        for position in rng.integers(0, len(data), rng.integers(1, 4)):
            changed[position] = rng.integers(256)
        try:
            read = read_table(bytes(changed), "x", MANIFEST_SCHEMA, CLIPS)
        except StoreDamagedError as error:
            errors.append(str(error))
        else:
            assert read.schema == MANIFEST_SCHEMA
            assert read.num_rows == CLIPS
    assert len(errors) > 100
    assert all(error.startswith("x is damaged (") and "\n" not in error for error in errors)
