"""Tables that lie about their rows, or grow when they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile.forge import Forge, zstd_frame
from tests.hostile.parquet import data_page, with_chunk, write
from tests.hostile.stores.registry import add, hostile


def _table(name: str, change: Callable[[pa.Table], pa.Table], **options: Any) -> Callable[[Forge], None]:
    def make(forge: Forge) -> None:
        forge.put_table(name, change(forge.table(name)), **options)
        forge.seal()

    return make


def _column(name: str, column: str, change: Callable[[list[Any]], list[Any]]) -> Callable[[Forge], None]:
    def change_table(table: pa.Table) -> pa.Table:
        index = table.schema.get_field_index(column)
        field = table.schema.field(index)
        return table.set_column(index, field, pa.array(change(table[column].to_pylist()), field.type))

    return _table(name, change_table)


def _first(value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [value, *values[1:]]


_TABLES: list[tuple[str, str, Callable[[Forge], None]]] = [
    (
        "a manifest without emotions",
        "manifest.parquet",
        _table("manifest.parquet", lambda table: table.drop_columns(["emotion"])),
    ),
    (
        "a manifest with rows as text",
        "type string",
        _table(
            "manifest.parquet",
            lambda table: table.set_column(
                2, pa.field("row", pa.string(), nullable=False), table["row"].cast(pa.string())
            ),
        ),
    ),
    (
        "a manifest with nulls",
        "type int64",
        _table(
            "manifest.parquet",
            lambda table: table.set_column(2, "row", pa.array([None] * len(table), pa.int64())),
        ),
    ),
    (
        "a manifest of 20,000 columns",
        "manifest.parquet",
        _table("manifest.parquet", lambda table: pa.table({f"c{i}": [1] for i in range(20_000)})),
    ),
    (
        "a manifest twice as long",
        "1344 rows|1,344 rows",
        _table("manifest.parquet", lambda table: pa.concat_tables([table, table])),
    ),
    ("an empty manifest", "0 rows", _table("manifest.parquet", lambda table: table.slice(0, 0))),
    (
        "a manifest with a wrong emotion",
        "'Joyful!'",
        _column("manifest.parquet", "emotion", _first("Joyful!")),
    ),
    ("a manifest with a wrong status", "'fine'", _column("manifest.parquet", "status", _first("fine"))),
    (
        "a manifest with a path out of the corpus",
        "'../../etc/passwd'",
        _column("manifest.parquet", "path", _first("../../etc/passwd")),
    ),
    (
        "a manifest with an absolute path",
        "'/etc/passwd'",
        _column("manifest.parquet", "path", _first("/etc/passwd")),
    ),
    (
        "a manifest with a row that is not there",
        "do not increase",
        _column("manifest.parquet", "row", lambda rows: [*rows[:-1], 2**40]),
    ),
    ("a manifest with a row below nought", "do not increase", _column("manifest.parquet", "row", _first(-1))),
    (
        "a manifest with a clip twice",
        "appears twice",
        _column("manifest.parquet", "clip_id", lambda ids: [ids[1], *ids[1:]]),
    ),
    (
        "a manifest with another corpus",
        "'other' as dataset",
        _column("manifest.parquet", "dataset", _first("other")),
    ),
    (
        "a manifest with a text of a megabyte",
        "1,048,576 bytes",
        _column("manifest.parquet", "problem", _first("x" * 2**20)),
    ),
    ("a manifest under gzip", "codec", _table("manifest.parquet", lambda table: table, compression="gzip")),
    (
        "a manifest in other encodings",
        "encoding|kind",
        _table("manifest.parquet", lambda table: table, data_page_version="2.0"),
    ),
    ("views of other clips", "as clip_id", _column("views.parquet", "clip_id", _first("demo/other"))),
    ("views of no known name", "as name", _column("views.parquet", "name", _first("x"))),
    (
        "views with more frames than there are",
        "as valid_frames",
        _column("views.parquet", "valid_frames", _first(10**9)),
    ),
    ("views with keys that are none", "as key", _column("views.parquet", "key", _first("os.system"))),
    (
        "statistics with long lists",
        "statistics.parquet",
        _column("statistics.parquet", "mean", _first([0.0] * 5000)),
    ),
    (
        "statistics that are not finite",
        "finite",
        _column("statistics.parquet", "mean", lambda means: [[float("inf")] * len(means[0]), *means[1:]]),
    ),
    (
        "statistics of a speaker that is not there",
        "does not have",
        _column("statistics.parquet", "speaker", _first("demo/x")),
    ),
]
for _name, _message, _make in _TABLES:
    add(_name, "read", _message, _make)


@hostile("read", "would take")
def a_text_of_the_manifest_repeated_to_gigabytes(forge: Forge) -> None:
    table = forge.table("manifest.parquet")
    text = pa.DictionaryArray.from_arrays(np.zeros(len(table), np.int32), ["x" * 32_000])
    index = table.schema.get_field_index("problem")
    field = pa.field("problem", text.type, nullable=False)
    forge.put("manifest.parquet", write(table.set_column(index, field, text), store_schema=False))
    forge.seal()


@hostile("read", "would take 2,147,483,647 bytes")
def a_page_of_the_manifest_of_two_gigabytes(forge: Forge) -> None:
    data = write(forge.table("manifest.parquet"), use_dictionary=False)
    index = forge.table("manifest.parquet").schema.get_field_index("duration_s")
    length = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0).column(index).total_compressed_size
    size = 2**31 - 1
    frame = zstd_frame(2**28)[: length // 2]
    page = next(
        page for extra in range(length) if len(page := data_page(672, size, frame + bytes(extra))) == length
    )
    forge.put("manifest.parquet", with_chunk(data, index, page))
    forge.seal()


@hostile("read", "manifest.parquet")
def a_pickle_for_a_manifest(forge: Forge) -> None:
    forge.put("manifest.parquet", b"cos\nsystem\n(S'touch /tmp/pickled'\ntR.")
    forge.seal()


@hostile("read", "manifest.parquet")
def a_manifest_cut_off(forge: Forge) -> None:
    data = (forge.folder / "manifest.parquet").read_bytes()
    forge.put("manifest.parquet", data[:1000] + data[-8:])
    forge.seal()


@hostile("read", "type")
def an_extension_type_in_the_manifest(forge: Forge) -> None:
    table = forge.table("manifest.parquet")
    index = table.schema.get_field_index("problem")
    metadata = {b"ARROW:extension:name": b"arrow.json", b"ARROW:extension:metadata": b""}
    field = pa.field("problem", pa.large_string(), nullable=False, metadata=metadata)
    forge.put_table(
        "manifest.parquet", table.set_column(index, field, table["problem"].cast(pa.large_string()))
    )
    forge.seal()
