"""``ser-features audit`` as its users meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import commands
from training.splits.split import Split


def run(*arguments: str | Path, status: int = 0) -> commands.Completed:
    return commands.run("ser-features", *arguments, status=status)


def test_the_commands_of_the_store_are_still_there_and_nothing_heavy_is_imported() -> None:
    code = (
        "import sys\nfrom training.cli.features import main\n"
        "try:\n    main()\nfinally:\n    print([m for m in ('torch', 'zarr', 'pandas') if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True
    )
    for command in ("build", "verify", "push", "audit"):
        assert f" {command} " in printed.stdout
    assert printed.stdout.rstrip().endswith("[]")


def test_a_clean_split_is_told_saved_and_audited_again(demo_store: Path, tmp_path: Path) -> None:
    printed = run("audit", demo_store, "--save", tmp_path / "split.json").stdout
    assert printed.startswith("speaker-independent (protocol: speaker)\n  train 84 clips of 12 speakers; ")
    assert "clean     clip overlap, speaker overlap, audio overlap, recordings, view source, near-" in printed
    assert printed.endswith("\nclean\n")
    found = json.loads(run("audit", demo_store, "--split", tmp_path / "split.json", "--json").stdout)
    assert found["clean"] is True
    (split,) = found["splits"]
    assert split["samples"] == {"train": 84 * 7, "validation": 14, "test": 14}
    assert {check["verdict"] for check in split["checks"]} == {"clean", "reported"}
    refused = run("audit", demo_store, "--save", tmp_path / "split.json", status=2).stderr
    assert "the file exists" in refused


def test_every_fold_is_audited_and_saved(demo_store: Path, tmp_path: Path) -> None:
    found = json.loads(
        run(
            *("audit", demo_store, "--protocol", "kfold:4", "--seed", "3", "--json"),
            *("--save", tmp_path / "s.json"),
        ).stdout
    )
    assert [split["title"] for split in found["splits"]] == [
        f"speaker-independent (protocol: kfold, fold {n} of 4)" for n in range(1, 5)
    ]
    saved = [Split.read(tmp_path / f"s-{n}.json") for n in range(1, 5)]
    assert sorted(clip for split in saved for clip in split.test) == sorted(saved[0].audio_sha256)
    for n, split in enumerate(saved, start=1):
        (tmp_path / f"fold-{n}").mkdir()
        (tmp_path / f"fold-{n}" / "split.json").write_text(json.dumps(split.to_json()))
    assert run("audit", demo_store, "--run", tmp_path).stdout.endswith("4 of 4 splits: clean\n")


def test_leaks_that_a_protocol_admits_end_with_exit_code_1(demo_store: Path) -> None:
    printed = run("audit", demo_store, "--protocol", "random", "--leak-views", status=1).stdout
    assert printed.startswith("leaky (protocol: random, views on both sides)")
    assert "admitted  view source: 3" in printed
    assert "views of" in printed
    assert "overlaps, as its protocol admits" in printed


def test_a_leak_is_named_and_not_saved(demo_store: Path, tmp_path: Path) -> None:
    run("audit", demo_store, "--save", tmp_path / "honest.json")
    value = json.loads((tmp_path / "honest.json").read_text())
    clip = min(value["train"])
    value["test"][clip] = value["train"].pop(clip)
    (tmp_path / "leaky.json").write_text(json.dumps(value))
    again = tmp_path / "again.json"
    printed = run("audit", demo_store, "--split", tmp_path / "leaky.json", "--save", again, status=1).stdout
    assert "leak      speaker overlap: 1" in printed
    assert f"({clip})" in printed
    assert printed.endswith("leaks: ser-train would refuse to train on it\n")
    assert not again.exists()


MISTAKES = {
    "no store": (["none.zarr"], 1, "there is no feature store at none.zarr"),
    "protocol": (["STORE", "--protocol", "mine"], 2, "speaker"),
    "number of folds": (["STORE", "--protocol", "kfold:99"], 1, "use kfold:K with K up to 16"),
    "no corpus to test on": (["STORE", "--protocol", "cross-corpus"], 2, "test_corpora"),
    "corpus": (["STORE", "--datasets", "ravdess"], 2, "the store has no corpus ravdess; choose from demo"),
    "emobox": (["STORE", "--protocol", "emobox"], 1, "no folds for demo"),
    "split": (["STORE", "--split", "none.json"], 2, "cannot read the split none.json: No such file"),
    "split and seed": (["STORE", "--split", "a.json", "--seed", "1"], 2, "give only one of them"),
    "run": (["STORE", "--run", "nowhere"], 2, "nowhere is not a run folder"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(
    mistake: str, demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, status, sentence = MISTAKES[mistake]
    monkeypatch.chdir(tmp_path)
    given = [str(demo_store) if argument == "STORE" else argument for argument in arguments]
    assert sentence in " ".join(run("audit", *given, status=status).stderr.split())
    assert list(tmp_path.iterdir()) == []
