"""A benchmark on a machine that lacks a library, or a model that lacks a peer, keeps what it measured."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder of results; while it is used, benchmarks can be imported as they import each other."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    monkeypatch.setattr(load("machine"), "RESULTS", tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def load(name: str) -> ModuleType:
    return importlib.import_module(name)


def test_a_missing_library_has_no_version(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = load("machine")
    real = machine.version

    def version(name: str) -> str:
        if name == "librosa":
            raise PackageNotFoundError(name)
        return str(real(name))

    monkeypatch.setattr(machine, "version", version)
    written = json.loads(machine.write_result("tried", {"speed": 1}).read_text())
    assert written["speed"] == 1
    assert set(written["machine"]["libraries"]) == {"torch", "numpy", "zarr"}


def test_every_network_is_timed_and_written_before_the_next(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train = load("train")
    timed: list[str] = []

    def run_once(contender: str, model: object, *_: object) -> float:
        name = str(vars(model)["name"])
        if name == "ravdess-attention":
            sys.exit("out of memory")
        timed.append(f"{name}: {contender}")
        return 100.0

    monkeypatch.setattr(train, "run_once", run_once)
    monkeypatch.setattr(train, "build", lambda *_: None)
    monkeypatch.setattr(train, "write_demo", lambda _: None)
    options = argparse.Namespace(device="cpu", repeat=1, batches=None, scratch=tmp_path)
    models = train.networks()
    assert [model.name for model in models].count("functionals-mlp") == 1
    with pytest.raises(SystemExit, match="out of memory"):
        train.measure(models, options, tmp_path)
    written = json.loads((results / "train.json").read_text())["models"]
    assert set(written) == {"A", "B", "C", "cremad", "functionals-mlp"}
    assert "A: lightning, no workers" in timed
    assert not [what for what in timed if what.startswith("functionals-mlp: plain")]
    assert "| functionals-mlp | 100 | – | – | – | – |" in capsys.readouterr().out.replace("100 | 100", "100")


def test_the_networks_that_have_peers_have_a_textbook_version(results: Path) -> None:
    from schemas.architecture import CnnBiLstmSpec, CnnSpec

    train, plain = load("train"), load("peers.train_plain")
    for model in train.networks():
        assert model.has_peers == isinstance(plain.MODELS[model.name], CnnBiLstmSpec | CnnSpec)
