"""Hashes of runs that are stopped, resumed and written again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import RunError, SerError, StoppedError
from tests import commands
from tests.training.damaged import files_of, flip_bit
from tests.training.runs.hashed import NETWORK, hashed, listed, request_of
from training.evaluate import EvaluationRequest, evaluate_runs
from training.predict.ensemble import Ensemble
from training.report import files
from training.report.result import RunResult
from training.runs import hashes
from training.runs import run as run_module
from training.runs.hashes import take_out_results
from training.runs.observer import EpochResult, SilentObserver
from training.runs.request import Hardware, TrainRequest
from training.runs.run import RunFolder
from training.train import train
from training.verify import verify_run


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
