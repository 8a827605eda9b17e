"""What ``ser-features import`` prints, and what ``info`` and the report say afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from featurestore.store import FeatureStore
from tests.commands import run

Table = tuple[Path, pd.DataFrame]


def _run(*arguments: str | Path) -> str:
    return run("ser-features", *arguments).stdout


def test_the_command_lists_what_has_no_values_and_json_has_all(own_small_store: Path, table: Table) -> None:
    path, frame = table
    left_out = frame.index[:30].tolist()
    frame.drop(left_out).assign(speaker="x").to_csv(path)
    options = ("--drop", "speaker", "--provenance", "openSMILE 3.0, eGeMAPSv02")
    text = _run("import", own_small_store, "egemaps", path, *options)
    assert "82 of 112 usable clips with values" in text
    assert "30 clips without an entry in the source; training leaves them out:" in text
    assert f"    {left_out[19]}\n    … and 10 more; --json lists all\n" in text
    assert "wrote 1 unit" in text
    values = json.loads(_run("import", own_small_store, "egemaps", path, *options, "--json"))
    assert (values["missing"], values["clips"], values["units_written"]) == (left_out, 82, 0)
    assert values["feature"]["provenance"] == "openSMILE 3.0, eGeMAPSv02"
    assert values["digest"] == FeatureStore.open(own_small_store).digest
    info = _run("info", own_small_store)
    assert "feature   egemaps × 5 (5 values, imported: openSMILE 3.0, eGeMAPSv02, SHA-256" in info
    page = own_small_store.with_name("report.html")
    _run("report", own_small_store, "--out", page)
    assert "openSMILE 3.0, eGeMAPSv02" in page.read_text(encoding="utf-8")


def test_the_report_of_a_store_without_imports_has_no_such_table(small_store: Path, tmp_path: Path) -> None:
    _run("report", small_store, "--out", tmp_path / "report.html")
    assert "imported feature" not in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", [6373])
def test_a_table_as_wide_as_compare_fits(own_small_store: Path, tmp_path: Path, columns: int) -> None:
    ids = FeatureStore.open(own_small_store).manifest["clip_id"]
    names = [f"audSpec_Rfilt_sma_compare[{i}]_percentile{i:05d}" for i in range(columns)]
    pd.DataFrame(1.5, index=ids, columns=names).to_csv(tmp_path / "compare.csv")
    _run("import", own_small_store, "compare-2016", tmp_path / "compare.csv")
    store = FeatureStore.open(own_small_store)
    assert store.read([5], features=["compare-2016"])["compare-2016"].sum() == 1.5 * columns
    assert store.spec.imported[0].columns == tuple(names)
