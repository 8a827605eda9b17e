"""Rows of the manifest have the table's columns, and records with other rows are refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from featurestore.format.documents import UnitRecord, document_bytes, parse_document
from featurestore.format.layout import unit_record_path
from featurestore.format.manifest import ManifestRow, manifest_table
from featurestore.format.seal import seal
from schemas.errors import StoreDamagedError
from schemas.tables import MANIFEST_SCHEMA, OPTIONAL_COLUMNS

FIELDS = {field.name: str(field.type) for field in dataclasses.fields(ManifestRow)}


@pytest.fixture
def record(tiny_store: Path) -> bytes:
    return (tiny_store / unit_record_path("demo", 1)).read_bytes()


def test_fields_are_the_columns_in_order() -> None:
    assert list(FIELDS) == [*MANIFEST_SCHEMA.names, *OPTIONAL_COLUMNS.names]
    for column in (*MANIFEST_SCHEMA, *OPTIONAL_COLUMNS):
        assert ("None" in FIELDS[column.name]) == column.nullable, column.name


def test_documents_are_read_and_written_without_a_change(record: bytes) -> None:
    assert document_bytes(parse_document(record, "record", UnitRecord)) == record


def test_rows_give_the_stored_table(tiny_store: Path) -> None:
    records = [
        parse_document((tiny_store / unit_record_path("demo", unit)).read_bytes(), "record", UnitRecord)
        for unit in range(3)
    ]
    table = manifest_table(clip for unit in records for clip in unit.clips)
    assert table.equals(pq.read_table(tiny_store / "manifest.parquet"))


def test_a_unit_has_the_optional_fields_of_which_a_clip_has_a_value(record: bytes) -> None:
    document = parse_document(record, "record", UnitRecord)
    first, *others = document.clips
    rated = dataclasses.replace(first, valence=0.0, session="1")
    changed = document.model_copy(update={"clips": (rated, *others)})
    data = document_bytes(changed)
    rows = json.loads(data)["clips"]
    assert (rows[0]["valence"], rows[0]["session"]) == (0.0, "1")
    assert {(row["valence"], row["session"]) for row in rows[1:]} == {(None, "")}
    assert {*rows[0]} == {*MANIFEST_SCHEMA.names, "session", "valence"}
    assert parse_document(data, "record", UnitRecord) == changed
    assert manifest_table(changed.clips).column_names == [*MANIFEST_SCHEMA.names, "session", "valence"]


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
