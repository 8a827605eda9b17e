"""Finished runs and a series, trained once per session; ``own`` copies may be changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.blank_pictures import draw_blank
from tests.training.runs.hashed import LINEAR, NETWORK, request_of
from training.campaign import train_all
from training.report.result import RunResult
from training.runs.observer import SilentObserver
from training.train import train


@pytest.fixture(scope="session")
def trained_network(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    with draw_blank():  # a fixture of the session may be older than that of a module
        return train(request_of(demo_store, tmp_path_factory.mktemp("runs"), *NETWORK))


@pytest.fixture(scope="session")
def network(trained_network: RunResult) -> Path:
    return trained_network.folder.path


@pytest.fixture(scope="session")
def linear(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with draw_blank():
        return train(request_of(demo_store, tmp_path_factory.mktemp("runs"), *LINEAR)).folder.path


@pytest.fixture(scope="session")
def series(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    request = request_of(demo_store, tmp_path_factory.mktemp("runs"), *LINEAR, "split.protocol=kfold:2")
    with draw_blank():
        return train_all(request, None, SilentObserver()).path


@pytest.fixture
def own(network: Path, tmp_path: Path) -> Path:
    """A copy of the network's run that a test may change."""
    return Path(shutil.copytree(network, tmp_path / "run"))


@pytest.fixture
def own_series(series: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(series, tmp_path / "series"))


@pytest.fixture(scope="session")
def clip(small_demo: Path) -> Path:
    return min((small_demo / "demo").rglob("*.wav"))
