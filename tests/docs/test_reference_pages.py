"""The reference describes the code as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.tables import MANIFEST_SCHEMA, OPTIONAL_COLUMNS, VIEWS_SCHEMA
from tests.conftest import REPOSITORY
from tests.docs.reference_pages import AGAIN, commands_page, pages, recipe_page

REFERENCE = REPOSITORY / "docs" / "reference"


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_a_page_that_is_written_from_the_code_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == pages()[path], f"run {AGAIN}"


@pytest.mark.parametrize(
    ("table", "schema"),
    [
        ("`manifest.parquet`", MANIFEST_SCHEMA),
        ("Optional columns of `manifest.parquet`", OPTIONAL_COLUMNS),
        ("`views.parquet`", VIEWS_SCHEMA),
    ],
)
def test_the_page_of_tables_names_all_columns_with_their_types(table: str, schema: pa.Schema) -> None:
    page = (REFERENCE / "manifest.md").read_text(encoding="utf-8")
    section = page.partition(f"## {table}\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([a-z0-9_]+)` \| ([^|]+?) \|", section, re.MULTILINE))
    names = {"string": "string", "int64": "int64", "double": "float64"}
    assert rows == {
        field.name: names[str(field.type)] + (", may be null" if field.nullable else "") for field in schema
    }


def test_all_options_of_a_command_are_listed_under_it() -> None:
    section = commands_page().partition("## ser-features build\n")[2].partition("\n## ")[0]
    for option in ("--datasets", "--out", "--jobs", "--check"):
        assert f"| `{option}` |" in section


def test_no_option_is_called_as_its_variable_is() -> None:
    page = commands_page()
    build = page.partition("## ser-features build\n")[2].partition("\n## ")[0]
    assert "| `--out` |" in build
    assert "| `--store` |" not in build
    assert "-_" not in page


def test_fields_of_a_recipe_have_their_limits_and_defaults() -> None:
    page = recipe_page()
    assert "| `sample_rate` | integer ≥ 4000, ≤ 192000 | `22050` | Sample rate in Hz" in page
    assert (
        '| `block` | list of `pool`, `norm`, `relu`, `dropout` | `["pool", "norm", "relu", "dropout"]` |'
        in page
    )
    assert "| `channels` | list of integer |  | Output channels" in page
