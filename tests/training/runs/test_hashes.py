"""Every file of a run is hashed, and no command uses a file that is not what was written."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from schemas.errors import RunError
from tests import commands
from tests.training.damaged import files_of, flip_bit, without_hashes
from tests.training.runs.hashed import hashed, listed
from training.predict.ensemble import Ensemble
from training.runs.hashes import HASHES, read_hashes
from training.runs.observer import SilentObserver
from training.runs.request import TrainRequest
from training.train import train
from training.verify import verify_run


@pytest.mark.parametrize("which", ["network", "linear"])
def test_every_file_of_a_run_is_listed_with_its_hash(which: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(which)
    names = [name for name in files_of(folder) if name != HASHES]
    assert listed(folder) == hashed(folder, names)
    sealed = (folder / HASHES).read_bytes()
    body, _, seal = sealed.rpartition(b',\n "seal": "')
    assert seal == hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'


def test_a_series_lists_its_own_files_and_which_folds_it_has(series: Path) -> None:
    own = [path.name for path in series.iterdir() if path.is_file() and path.name != HASHES]
    folds = [f"fold-{n}/{name}.json" for n in (1, 2) for name in ("run", "split")]
    assert listed(series) == hashed(series, [*own, *folds])
    assert verify_run(series).ok


@pytest.mark.parametrize("which", ["network", "linear", "series"])
def test_one_bit_of_any_file_is_refused_with_the_name_of_the_file(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(request.getfixturevalue(which), tmp_path / "run"))
    for seed, name in enumerate(files_of(folder)):
        before = flip_bit(folder / name, seed)
        with pytest.raises(RunError) as refused:
            Ensemble.open([folder], "cpu")
        assert str(folder / name) in str(refused.value)
        assert "restore it from a copy" in str(refused.value)
        if not name.endswith(HASHES):
            found = verify_run(folder).findings
            assert folder / name in {each.file for each in found}
        (folder / name).write_bytes(before)
    Ensemble.open([folder], "cpu")


def test_one_bit_anywhere_in_the_list_of_hashes_is_refused(own: Path) -> None:
    sealed = (own / HASHES).read_bytes()
    for place in range(0, len(sealed), 7):
        damaged = bytearray(sealed)
        damaged[place] ^= 1 << place % 8
        (own / HASHES).write_bytes(damaged)
        with pytest.raises(RunError, match=r"hashes\.json is damaged"):
            read_hashes(own)


@pytest.mark.parametrize("name", ["../other", "/etc/passwd", "", "a/../../b"])
def test_a_list_that_names_files_elsewhere_is_refused(own: Path, name: str) -> None:
    entry = {"bytes": 1, "sha256": "0" * 64}
    body = json.dumps({"format": 1, "files": {name: entry}}, indent=1).removesuffix("\n}").encode()
    seal = f',\n "seal": "{hashlib.sha256(body).hexdigest()}"\n}}\n'
    (own / HASHES).write_bytes(body + seal.encode())
    with pytest.raises(RunError, match=r"hashes\.json is damaged"):
        verify_run(own)


@pytest.mark.parametrize(
    "name", ["normalisation.safetensors", "checkpoints/best.safetensors", "metrics.json"]
)
def test_a_missing_file_is_named(own: Path, name: str) -> None:
    (own / name).unlink()
    with pytest.raises(RunError, match=rf"{name} is missing, but hashes\.json lists it"):
        Ensemble.open([own], "cpu")
    assert [found.file for found in verify_run(own).findings] == [own / name]


def refuses(own: Path, *question: str | Path) -> None:
    """A command refuses a damaged run with the file, both hashes and the next step."""
    flip_bit(own / "checkpoints/best.safetensors", 1)
    announced = listed(own)["checkpoints/best.safetensors"][:12]
    found = hashed(own, ["checkpoints/best.safetensors"])["checkpoints/best.safetensors"][:12]
    refused = "".join(commands.run(*question, status=1).stderr.split())  # type: ignore[arg-type]
    assert "best.safetensorshasSHA-256" in refused
    assert f"SHA-256{found}…,buthashes.jsonannounces{announced}…" in refused
    assert f"restoreitfromacopy,orwriteitagainwithser-train--resume{own}" in refused


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_predictions_of_a_damaged_run_are_refused(own: Path, clip: Path, options: tuple[str, ...]) -> None:
    refuses(own, "ser-predict", own, clip, *options)


def test_a_damaged_run_is_neither_tested_nor_audited(own: Path, demo_store: Path) -> None:
    refuses(own, "ser-evaluate", own, "--store", demo_store)
    flip_bit(own / "checkpoints/best.safetensors", 1)  # back
    refuses(own, "ser-features", "audit", demo_store, "--run", own)


@pytest.mark.slow  # imports ONNX and Gradio
def test_a_damaged_run_is_neither_exported_nor_shown(own: Path, tmp_path: Path) -> None:
    refuses(own, "ser-export", own, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()
    flip_bit(own / "checkpoints/best.safetensors", 1)  # back
    refuses(own, "ser-demo", own, "--port", "0")


def test_a_series_with_a_damaged_fold_is_refused(own_series: Path, demo_store: Path, clip: Path) -> None:
    flip_bit(own_series / "fold-2" / "linear.safetensors", 1)
    for program, *arguments in (
        ("ser-predict", own_series, clip),
        ("ser-evaluate", own_series),
        ("ser-evaluate", own_series / "fold-2", "--store", demo_store),
        ("ser-train", "--resume", own_series, "--store", demo_store),
        ("ser-features", "audit", demo_store, "--run", own_series),
    ):
        refused = "".join(commands.run(program, *arguments, status=1).stderr.split())
        assert f"{own_series}/fold-2/linear.safetensorshasSHA-256" in refused


def test_folds_that_changed_places_are_refused(own_series: Path) -> None:
    for here, there in (("fold-1", "x"), ("fold-2", "fold-1"), ("x", "fold-2")):
        (own_series / here).rename(own_series / there)
    assert verify_run(own_series / "fold-1").ok
    done = commands.run("ser-evaluate", own_series, status=1)
    assert "fold-1/run.json has SHA-256" in " ".join(done.stderr.split()).replace("- ", "-")


def test_verify_says_how_many_files_agree(own: Path, own_series: Path) -> None:
    (own / "notes.txt").write_text("mine")
    (own / "evaluated").mkdir()
    (own / "evaluated" / "metrics.json").write_text("{}")
    count = len(listed(own))
    done = commands.run("ser-evaluate", own, "--verify", env={"COLUMNS": "300"}).stdout
    assert done.startswith(f"ok {own}: {count} files, ")
    assert "2 files not part of the run (evaluated/metrics.json, …)" in done
    Ensemble.open([own], "cpu")
    (values,) = json.loads(commands.run("ser-evaluate", own_series, "--verify", "--json").stdout)
    of_folds = sum(len(listed(folder)) for folder in (own_series, *own_series.glob("fold-*")))
    assert (values["ok"], values["files"], values["findings"]) == (True, of_folds, [])
    flip_bit(own / "curves.png", 3)
    (own / "history.csv").unlink()
    damaged = commands.run("ser-evaluate", own, "--verify", status=1, env={"COLUMNS": "300"}).stdout
    assert f"{own}/curves.png has SHA-256 " in damaged
    assert f"{own}/history.csv is missing" in damaged
    assert f"damaged {own}: 2 files of {count} files" in damaged
    refused = commands.run("ser-evaluate", own, "--verify", "--where", "x", "--out", "y", status=2)
    assert "leave out --where, --out" in " ".join(refused.stderr.split())
    refused = commands.run("ser-evaluate", own.parent, "--verify", status=1)
    assert "not a run folder" in " ".join(refused.stderr.split())


def test_a_run_without_hashes_is_read_with_a_note(
    own: Path, own_series: Path, demo_store: Path, clip: Path
) -> None:
    for folder, question in (
        (own, ("ser-predict", own, clip, "--json")),
        (own, ("ser-evaluate", own, "--store", demo_store)),
        (own_series, ("ser-predict", own_series, clip)),
        (own_series, ("ser-evaluate", own_series)),
    ):
        assert "carries no hashes" not in commands.run(*question).stderr
        before = commands.run(*question).stdout
        (folder / HASHES).rename(folder / "kept")
        done = commands.run(*question, env={"COLUMNS": "300"})
        assert f"note: {folder} carries no hashes" in done.stderr
        assert done.stdout == before
        (folder / "kept").rename(folder / HASHES)
    without_hashes(own)
    refused = commands.run("ser-evaluate", own, "--verify", status=1)
    assert f"ser-train --resume {own}" in " ".join(refused.stderr.split())


def test_a_run_without_hashes_gets_them_when_it_is_resumed(own: Path, demo_store: Path) -> None:
    heard: list[str] = []

    class Hearer(SilentObserver):
        def notice(self, sentence: str) -> None:
            heard.append(sentence)

    train(TrainRequest(store=demo_store, resume=without_hashes(own)), Hearer())
    assert any("carries no hashes" in sentence for sentence in heard)
    assert verify_run(own).ok


def test_a_run_that_was_moved_and_cannot_be_written_is_read(
    network: Path, tmp_path: Path, clip: Path
) -> None:
    moved = Path(shutil.copytree(network, tmp_path / "elsewhere" / "another name"))
    before = files_of(moved)
    for path in (moved, moved / "checkpoints", *(moved / name for name in before)):
        path.chmod(path.stat().st_mode & 0o555)
    try:
        commands.run("ser-predict", moved, clip)
        assert verify_run(moved).ok
    finally:
        for path in (moved, moved / "checkpoints"):
            path.chmod(0o755)
    assert files_of(moved) == before
