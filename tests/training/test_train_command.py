"""``ser-train`` as its users meet it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from training.cli import main; main()", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    return result


def test_training_prints_its_protocol_and_leaves_a_run_folder(demo_store: Path, tmp_path: Path) -> None:
    trained = run(
        "--store", demo_store, "--model", "A", "--views", "0", "--epochs", "2", "--out", tmp_path, "--json"
    )
    result = json.loads(trained.stdout)
    folder = Path(result["run"])
    assert folder.parent == tmp_path
    assert result["protocol"] == "speaker"
    assert result["epochs"] == 2
    assert "epoch   2" in trained.stderr
    assert (folder / "confusion.png").read_bytes().startswith(b"\x89PNG")
    again = run("--resume", folder, "--store", demo_store)
    assert again.stdout.startswith("speaker-independent (protocol: speaker): UA ")
    assert str(folder) in again.stdout


MISTAKES = {
    "no store": (["--store", "none.zarr"], 1, "there is no feature store at none.zarr"),
    "default store": ([], 1, "there is no feature store at features.zarr"),
    "views": (["--views", "x"], 2, "--views x: write all, or view indices"),
    "recipe": (["--recipe", "nothing"], 2, "unknown recipe 'nothing'"),
    "device": (["--device", "tpu"], 2, "tpu"),
    "resume": (["--resume", "nowhere"], 1, "nowhere is not the folder of a run"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, status, sentence = MISTAKES[mistake]
    monkeypatch.chdir(tmp_path)
    assert sentence in run(*arguments, status=status).stderr
    assert list(tmp_path.iterdir()) == []


def test_mistakes_about_a_store_name_the_next_step(demo_store: Path, tmp_path: Path) -> None:
    cases = {
        ("--views", "7"): (1, "0 to 6"),
        ("--model", "Z"): (2, "Z"),
        ("--recipe", str(_other_recipe(tmp_path))): (1, "ser-features build"),
    }
    for arguments, (status, sentence) in cases.items():
        error = run("--store", demo_store, "--out", tmp_path / "runs", *arguments, status=status).stderr
        assert sentence in error
    assert not (tmp_path / "runs").exists()


def _other_recipe(folder: Path) -> Path:
    path = folder / "other.toml"
    path.write_text(
        'name = "other"\n[audio]\nsample_rate = 16000\n[[features]]\nkind = "mel"\n[model]\nname = "A"\n'
    )
    return path
