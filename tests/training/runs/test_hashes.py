"""Every file of a run is hashed, and no command uses a file that is not what was written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import RunError, SerError, StoppedError
from schemas.overrides import override
from schemas.recipe import load_recipe
from tests import commands
from tests.training.damaged import files_of, flip_bit, without_hashes
from training.campaign import train_all
from training.evaluate import EvaluationRequest, evaluate_runs
from training.predict.ensemble import Ensemble
from training.report import files
from training.report.result import RunResult
from training.runs import hashes
from training.runs import run as run_module
from training.runs.hashes import HASHES, read_hashes, take_out_results
from training.runs.observer import EpochResult, SilentObserver
from training.runs.request import Hardware, TrainRequest
from training.runs.run import RunFolder
from training.train import train
from training.verify import verify_run

LINEAR = ("model.name=functionals", "labels.target=emotion")
NETWORK = ("model.name=functionals-mlp", "input.representation=functionals", "train.epochs=3")


def request_of(store: Path, out: Path, *changes: str, **asked: Any) -> TrainRequest:
    recipe = override(load_recipe("four-corpora-c"), ["datasets=null", "train.views=[0]", *changes])
    return TrainRequest(store=store, recipe=recipe, output=out, hardware=Hardware("cpu"), **asked)


@pytest.fixture(scope="module")
def trained_network(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return train(request_of(demo_store, tmp_path_factory.mktemp("runs"), *NETWORK))


@pytest.fixture(scope="module")
def network(trained_network: RunResult) -> Path:
    return trained_network.folder.path


@pytest.fixture(scope="module")
def linear(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(request_of(demo_store, tmp_path_factory.mktemp("runs"), *LINEAR)).folder.path


@pytest.fixture(scope="module")
def series(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    request = request_of(demo_store, tmp_path_factory.mktemp("runs"), *LINEAR, "split.protocol=kfold:2")
    return train_all(request, None, SilentObserver()).path


@pytest.fixture
def own(network: Path, tmp_path: Path) -> Path:
    """A copy of the network's run that a test may change."""
    return Path(shutil.copytree(network, tmp_path / "run"))


@pytest.fixture
def own_series(series: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(series, tmp_path / "series"))


@pytest.fixture(scope="module")
def clip(small_demo: Path) -> Path:
    return min((small_demo / "demo").rglob("*.wav"))


def listed(folder: Path) -> dict[str, str]:
    """The document as any reader of JSON sees it: name → SHA-256."""
    document = json.loads((folder / HASHES).read_bytes())
    return {name: entry["sha256"] for name, entry in document["files"].items()}


def hashed(folder: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


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


class StopIn(SilentObserver):
    """Stops training like Ctrl-C when the first epoch is done."""

    def epoch_done(self, result: EpochResult) -> None:
        raise KeyboardInterrupt


def test_a_stopped_run_is_resumed_from_a_checkpoint_with_a_hash_of_its_own(
    network: Path, demo_store: Path, tmp_path: Path, clip: Path
) -> None:
    with pytest.raises(StoppedError):
        train(request_of(demo_store, tmp_path, *NETWORK, name="stopped"), StopIn())
    stopped = tmp_path / "stopped"
    assert {*listed(stopped)} == {"run.json", "split.json", "audit.json", "normalisation.safetensors"}
    assert verify_run(stopped).ok
    assert Ensemble.open([stopped], "cpu").predict(clip).probabilities is not None
    resume = TrainRequest(store=demo_store, resume=stopped, hardware=Hardware("cpu"))
    for name in ("last", "best"):
        path = stopped / "checkpoints" / f"{name}.safetensors"
        for place in (9, -1, -4000):
            content = path.read_bytes()
            damaged = bytearray(content)
            damaged[place] ^= 0x10
            path.write_bytes(damaged)
            assert [found.file for found in verify_run(stopped).findings] == [path]
            with pytest.raises(RunError, match=rf"{name}\.safetensors"):
                train(resume) if name == "last" else Ensemble.open([stopped], "cpu")
            path.write_bytes(content)
    again = train(resume)
    assert (stopped / "metrics.json").read_bytes() == (network / "metrics.json").read_bytes()
    assert again.folder.path == stopped
    assert verify_run(stopped).ok
    assert {*listed(stopped)} >= {*listed(network)} - {name for name in listed(network) if "events" in name}


def test_resuming_writes_damaged_results_again_and_says_so(own: Path, demo_store: Path) -> None:
    names = ["README.md", "predictions.csv", "report.html", "checkpoints/best.safetensors"]
    before = hashed(own, names)
    for name in names:
        flip_bit(own / name, 5)
    done = commands.run("ser-train", "--resume", own, "--store", demo_store, env={"COLUMNS": "300"})
    for name in names:
        assert f"note: {own / name} has SHA-256 " in done.stderr
    assert done.stderr.count("it is written again") == len(names)
    assert hashed(own, names) == before
    assert verify_run(own).ok


@pytest.mark.parametrize(
    "name",
    ["run.json", "split.json", "audit.json", "normalisation.safetensors", "checkpoints/last.safetensors"],
)
def test_nothing_is_resumed_from_a_damaged_file(own: Path, demo_store: Path, name: str) -> None:
    flip_bit(own / name, 6)
    before = hashed(own, files_of(own))
    with pytest.raises(RunError, match=rf"{name} has SHA-256 .*; restore it from a copy, or train again"):
        train(TrainRequest(store=demo_store, resume=own))
    assert hashed(own, files_of(own)) == before


def test_a_fold_that_was_removed_is_trained_again(own_series: Path, demo_store: Path) -> None:
    before = (own_series / "predictions.csv").read_bytes()
    shutil.rmtree(own_series / "fold-2")
    done = commands.run("ser-train", "--resume", own_series, "--store", demo_store, env={"COLUMNS": "300"})
    assert "fold-2/run.json is missing" in done.stderr
    assert (own_series / "predictions.csv").read_bytes() == before
    assert verify_run(own_series).ok


Fail = Callable[[int], None]


@pytest.fixture
def fail_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fail]:
    """Function that makes the n-th write from now on fail, counted from 0; every one after it as well."""
    write = run_module.write_durably

    def set_up(number: int) -> None:
        left = [number]

        def write_or_fail(path: Path, data: bytes) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(28, os.strerror(28), str(path))
            write(path, data)

        for module in (run_module, hashes):
            monkeypatch.setattr(module, "write_durably", write_or_fail)

    yield set_up
    monkeypatch.undo()


def test_wherever_writing_results_stops_every_hash_is_true(
    trained_network: RunResult, own: Path, fail_at: Fail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "run_page", lambda _: "page")
    result = replace(trained_network, folder=RunFolder(own))
    stopped = 0
    for number in range(40):
        fail_at(number)
        try:
            take_out_results(own)
            if not files.write_result(result):
                break
            stopped += 1
        except OSError:
            stopped += 1
        finally:
            fail_at(1_000)
        assert verify_run(own).ok, number
        Ensemble.open([own], "cpu")
        shutil.rmtree(own)
        shutil.copytree(trained_network.folder.path, own)
    assert stopped >= 9
    assert verify_run(own).ok
    assert listed(own)["report.html"]


def test_a_classifier_that_was_written_by_a_stopped_run_is_not_used(
    linear: Path, tmp_path: Path, demo_store: Path
) -> None:
    stopped = Path(shutil.copytree(linear, tmp_path / "run"))
    take_out_results(stopped)
    with pytest.raises(RunError, match="is not finished; resume it with: ser-train --resume"):
        Ensemble.open([stopped], "cpu")
    with pytest.raises(SerError, match="is not finished"):
        evaluate_runs(EvaluationRequest((stopped,), store=demo_store))
