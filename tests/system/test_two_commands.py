"""The whole, as a user runs it: recordings to a store to a tested model, by the two commands alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import xarray


def _run(program: str, *arguments: str | Path) -> Any:
    module = {"ser-features": "training.cli.features", "ser-train": "training.cli.train"}[program]
    command = [sys.executable, "-c", f"from {module} import main; main()", *map(str, arguments), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.slow
def test_demo_voices_to_a_model_that_has_learnt_across_speakers(tmp_path: Path) -> None:
    corpora, store = tmp_path / "corpora", tmp_path / "features.zarr"
    _run("ser-features", "demo", "--corpora", corpora)
    for second in (corpora / "demo").rglob("*_2.wav"):
        second.unlink()
    built = _run(
        "ser-features", "build", "--datasets", "demo", "--augment", "1", "--corpora", corpora, "--out", store
    )
    assert built["datasets"]["demo"]["clips"] == 336
    assert len(built["views"]) == 2
    trained = _run("ser-train", "--store", store, "--model", "A", "--epochs", "6", "--out", tmp_path / "runs")
    # Chance is 1/14 and 1/7; voices that the model has never heard.
    assert trained["test"]["own"]["ua"] > 3 / 14
    assert trained["test"]["emotion"]["ua"] > 3 / 7


@pytest.mark.slow
def test_real_recordings_to_a_model(real_corpora: Path, tmp_path: Path) -> None:
    """Six actors of RAVDESS, a clip of each emotion and intensity, and a twentieth of TESS: every step."""
    corpora, store = tmp_path / "corpora", tmp_path / "features.zarr"
    for actor in ("01", "02", "03", "04", "05", "06"):
        (corpora / "ravdess" / f"Actor_{actor}").mkdir(parents=True)
        for source in (real_corpora / "ravdess" / f"Actor_{actor}").glob("03-01-??-??-01-01-??.*"):
            shutil.copy(source, corpora / "ravdess" / f"Actor_{actor}")
    for source in sorted((real_corpora / "tess").glob("*/*"))[::20]:
        target = corpora / "tess" / source.parent.name / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    built = _run(
        "ser-features", "build", "--datasets", "all", "--augment", "6", "--corpora", corpora, "--out", store
    )
    assert {name: entry["clips"] for name, entry in built["datasets"].items()} == {
        "ravdess": 90,
        "tess": 70,
    }
    assert built["bad"] == []
    assert set(built["missing"]) == {"savee", "cremad", "emodb"}
    assert _run("ser-features", "verify", store, "--full")["ok"]
    with xarray.open_datatree(store, engine="zarr") as tree:
        assert tree["tess"]["mel"].shape == (7, 70, 128, 130)
    trained = _run(
        "ser-train",
        "--store",
        store,
        "--model",
        "A",
        "--views",
        "0",
        "--epochs",
        "2",
        "--out",
        tmp_path / "runs",
    )
    assert trained["protocol"] == "speaker"
    assert 0 < trained["test"]["own"]["ua"] <= 1
