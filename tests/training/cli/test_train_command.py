"""``ser-train`` as its users meet it."""

import json
import re
import resource
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests import commands
from tests.training.damaged import without_hashes


def run(*arguments: str | Path, status: int = 0) -> commands.Completed:
    return commands.run("ser-train", *arguments, status=status)


NARROW = [
    "--set",
    "model.channels=[8, 8]",
    "--set",
    "model.pools=[[2, 2], [2, 2]]",
    "--set",
    "model.hidden=32",
]
"""Model A with few parameters: an epoch takes a moment."""


def test_training_prints_its_protocol_and_leaves_a_run_folder(demo_store: Path, tmp_path: Path) -> None:
    trained = run(
        "--store",
        demo_store,
        "--model",
        "A",
        "--views",
        "0",
        "--epochs",
        "2",
        *NARROW,
        "--out",
        tmp_path,
        "--json",
    )
    result = json.loads(trained.stdout)
    folder = Path(result["run"])
    assert folder.parent == tmp_path
    assert result["protocol"] == "speaker"
    assert result["epochs"] == 2
    start = next(line for line in trained.stderr.splitlines() if not line.startswith("note: "))
    assert start == f"run folder: {folder}"
    assert "train 84 clips of 12 speakers; validation 14 clips of 2 speakers; test 14" in trained.stderr
    assert "84 samples per epoch" in trained.stderr
    assert "CPU threads: " in trained.stderr
    assert "epoch   2" in trained.stderr
    assert "lr 1.00e-03" in trained.stderr
    assert (folder / "confusion.png").read_bytes().startswith(b"\x89PNG")
    again = run("--resume", folder, "--store", demo_store)
    assert again.stdout.startswith("speaker-independent (protocol: speaker): UA ")
    assert str(folder) in again.stdout


MISTAKES = {
    "no store": (["--store", "none.zarr"], 1, "there is no feature store at none.zarr"),
    "default store": ([], 1, "there is no feature store at features.zarr"),
    "views": (["--views", "x"], 2, "--views x: write all, or view indices"),
    "views that are no decimal digits": (["--views", "²"], 2, "--views ²: write all, or view indices"),
    "views backwards": (["--views", "0,5-3"], 2, "--views 0,5-3: 5-3 is descending"),
    "views twice": (["--views", "0,0"], 2, "--views 0,0: name each view once"),
    "views without end": (["--views", "0-999999999999"], 2, "--views 0-999999999999: write all"),
    "seed": (["--seed", str(2**63)], 2, "--seed"),
    "views of a resumed run": (["--resume", "x", "--views", "all"], 2, "leave out --views,"),
    "place of a resumed run": (["--resume", "x", "--out", "runs"], 2, "leave out --out,"),
    "recipe": (["--recipe", "nothing"], 2, "unknown recipe 'nothing'"),
    "device": (["--device", "tpu"], 2, "tpu"),
    "split and protocol": (
        ["--split", "s.json", "--protocol", "loso", "--fold", "1"],
        2,
        "--split already defines the sides; leave out --protocol, --fold",
    ),
    "corpora to test on": (["--protocol", "cross-corpus"], 2, "the corpora to test on (--test-on)"),
    "resume": (["--resume", "nowhere"], 1, "nowhere is not a run folder"),
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
        ("--views", "7"): (2, "has views 0 to 6"),
        ("--datasets", "savee"): (2, "the store has no corpus savee; choose from demo"),
        ("--model", "Z"): (2, "Z"),
        ("--recipe", str(recipe := _other_recipe(tmp_path))): (1, f"ser-features build --recipe {recipe} "),
    }
    for arguments, (status, sentence) in cases.items():
        error = run("--store", demo_store, "--out", tmp_path / "runs", *arguments, status=status).stderr
        assert sentence in error
        assert ("ser-features build" in error) == ("--recipe" in arguments)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_ctrl_c_tells_the_command_that_goes_on(demo_store: Path, tmp_path: Path) -> None:
    runs = tmp_path / "my runs"
    options = ["--store", str(demo_store), "--views", "0", "--epochs", "200", "--out", str(runs), *NARROW]
    with commands.start("ser-train", *options, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch "):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    told = re.search(r"resume with: ser-train (.*)", rest)
    assert told, rest
    (folder,) = runs.iterdir()
    arguments = shlex.split(told[1])
    assert arguments == ["--resume", str(folder), "--store", str(demo_store)]
    record = json.loads((folder / "run.json").read_text())
    record["recipe"]["train"]["epochs"] = 2
    (without_hashes(folder) / "run.json").write_text(json.dumps(record))
    assert json.loads(run(*arguments, "--json").stdout)["run"] == str(folder)


@pytest.mark.slow
def test_a_disk_that_refuses_is_one_sentence_with_the_command_that_goes_on(
    demo_store: Path, tmp_path: Path
) -> None:
    """Files of more than 100 kB are refused, as by a quota: the first checkpoint is one."""
    options = ["--store", str(demo_store), "--views", "0", "--epochs", "1", "--out", str(tmp_path), *NARROW]
    failed = subprocess.run(
        commands.process_command("ser-train", *options),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    (folder,) = tmp_path.iterdir()
    assert failed.returncode == 1, failed.stderr
    (error,) = (line for line in failed.stderr.splitlines() if line.startswith("error: "))
    assert "Traceback" not in failed.stderr
    assert f"cannot write {folder}" in error
    assert error.endswith(f"run ser-train --resume {folder} --store {demo_store}")
    assert not list(folder.rglob("*.partial"))
    run("--resume", folder, "--store", demo_store)


def _other_recipe(folder: Path) -> Path:
    path = folder / "other.toml"
    path.write_text(
        'name = "other"\n[audio]\nsample_rate = 16000\n[[features]]\nkind = "mel"\n[model]\nname = "A"\n'
    )
    return path
