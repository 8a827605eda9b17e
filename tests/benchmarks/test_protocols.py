"""Rows of the comparison of protocols name the machine that each was measured on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.test_lost_results import load, results

__all__ = ["results"]


def test_every_row_names_its_own_machine(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocols, shipped = load("protocols"), load("machine").RESULTS
    published = Path(load("machine").__file__).parent / "results" / "protocols.json"
    earlier = json.loads(published.read_text())["rows"]
    (shipped / "protocols.json").write_text(published.read_text())

    def train(experiment: Any, _: object) -> dict[str, Any]:
        row = next(row for row in earlier if row["name"] == experiment.name)
        return {"test": {"emotion": row}, "run": "runs/one", "title": row["title"], "claim": row.get("claim")}

    monkeypatch.setattr(protocols, "_trained", train)
    monkeypatch.setattr(protocols, "machine", lambda: {"processor": "another"})
    monkeypatch.setattr(protocols, "comparison_table", lambda _: "")
    monkeypatch.setattr(protocols, "_comparison", lambda row: row)
    monkeypatch.setattr(sys, "argv", ["protocols.py", "--work", str(tmp_path), "--only", "r3-random"])
    protocols.main()
    document = json.loads((shipped / "protocols.json").read_text())
    machines = {row["name"]: row["machine"] for row in document["rows"]}
    assert set(document) == {"rows"}
    assert machines.pop("r3-random") == {"processor": "another"}
    kept = {row["name"]: row["machine"] for row in earlier if row["name"] != "r3-random"}
    assert protocols.UNRECORDED in kept.values()
    assert machines == kept
    assert len(machines) == len(earlier) - 1
