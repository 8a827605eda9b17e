"""The benchmark of robustness in miniature: one command builds, trains, tests and writes its table."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from schemas.recipe_toml import recipe_toml
from tests.benchmarks.test_lost_results import load, results
from tests.encoder_store import vector_recipe

__all__ = ["results"]


@pytest.mark.slow
def test_one_command_writes_the_table_and_keeps_those_of_other_recipes(
    results: Path,
    tmp_path: Path,
    small_demo: Path,
    encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = vector_recipe("lda", "kfold:2")
    file = tmp_path / "small.toml"
    file.write_text(recipe_toml(recipe))
    other = {"command": "of another day"}
    (results / "robustness.json").write_text(json.dumps({"recipes": {"other": other}}))
    given = {"--corpora": small_demo, "--datasets": "demo", "--recipe": file, "--work": tmp_path / "work"}
    options = [str(part) for pair in given.items() for part in pair]
    monkeypatch.setattr(sys, "argv", ["robustness.py", *options, "--encoder", f"pooled={encoder}"])
    robustness = load("robustness")
    robustness.main()
    table = capsys.readouterr().out
    robustness.main()  # from what is finished
    assert capsys.readouterr().out == table
    written = json.loads((results / "robustness.json").read_text())["recipes"]
    assert written["other"] == other
    row = written[recipe.name]
    assert [view["name"] for view in row["views"]] == ["original", *(view.name for view in recipe.views)]
    assert all(view["clips"] == row["views"][0]["clips"] > 0 for view in row["views"])
    assert row["machine"]["cores"] >= 1
    assert str(tmp_path) not in json.dumps(row)
    assert [path.name for path in (tmp_path / "work").iterdir() if path.suffix != ".zarr"] == [recipe.name]
