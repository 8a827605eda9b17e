"""Rows of the manifest have the table's columns, and records with other rows are refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featurestore.format.documents import UnitRecord, document_bytes, parse_document
from featurestore.format.layout import unit_record_path
from featurestore.format.manifest import ManifestRow, plain_rows
from featurestore.format.seal import seal
from schemas.errors import StoreDamagedError
from schemas.tables import MANIFEST_SCHEMA

FIELDS = {field.name: str(field.type) for field in dataclasses.fields(ManifestRow)}


@pytest.fixture
def record(tiny_store: Path) -> bytes:
    return (tiny_store / unit_record_path("demo", 1)).read_bytes()


def test_fields_are_the_columns_in_order() -> None:
    assert list(FIELDS) == MANIFEST_SCHEMA.names
    for column in MANIFEST_SCHEMA:
        assert ("None" in FIELDS[column.name]) == column.nullable, column.name


def test_documents_are_read_and_written_without_a_change(record: bytes) -> None:
    assert document_bytes(parse_document(record, "record", UnitRecord)) == record


def test_rows_give_the_stored_table(tiny_store: Path) -> None:
    records = [
        parse_document((tiny_store / unit_record_path("demo", unit)).read_bytes(), "record", UnitRecord)
        for unit in range(3)
    ]
    table = pa.Table.from_pylist(
        plain_rows(clip for unit in records for clip in unit.clips), schema=MANIFEST_SCHEMA
    )
    assert table.equals(pq.read_table(tiny_store / "manifest.parquet"))


@pytest.mark.parametrize("change", ["clip_id", "row", "colour", "status"])
def test_other_rows_are_refused(record: bytes, change: str) -> None:
    values = json.loads(record)
    del values["seal"]
    row = values["clips"][0]
    match change:
        case "clip_id":
            del row["clip_id"]
        case "row":
            row["row"] = "7"
        case "colour":
            row["colour"] = "blue"
        case _:
            row["status"] = "perhaps"
    with pytest.raises(StoreDamagedError, match=rf"clips\.0\.{change}"):
        parse_document(seal(json.dumps(values, indent=1)), "record", UnitRecord)
