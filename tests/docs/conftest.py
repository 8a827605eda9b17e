"""The stage of the documentation's pages."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.docs.commands import Command, Running
from tests.docs.differences import INSTEAD, serving
from tests.docs.play import Player
from tests.docs.stage import Stage, environment_of, make_stage
from tests.places.servers import new_bucket, s3_server


@pytest.fixture(scope="session")
def lab_address() -> Iterator[str]:
    """An S3 server for pages: each has a bucket there, for ``s3://lab``."""
    with s3_server() as address:
        yield address


@pytest.fixture(scope="session")
def page_environment(tmp_path_factory: pytest.TempPathFactory, lab_address: str) -> dict[str, str]:
    """Variables of the commands of pages."""
    return environment_of(tmp_path_factory.mktemp("home"), lab_address)


@pytest.fixture(scope="session")
def stage(
    tmp_path_factory: pytest.TempPathFactory, whole_demo: Path, page_environment: dict[str, str]
) -> Stage:
    """What every page finds. Shared: play in a copy."""
    return make_stage(tmp_path_factory.mktemp("stage") / "stage", whole_demo, page_environment)


@pytest.fixture(scope="session")
def played(
    request: pytest.FixtureRequest,
    stage: Stage,
    tmp_path_factory: pytest.TempPathFactory,
    page_environment: dict[str, str],
    lab_address: str,
) -> Iterator[Mapping[str, Future[None]]]:
    """Page → its play, of all pages that this run of pytest asks for, two at a time, each in its own folder.

    A page mostly waits for one core: for Python to import what it needs.
    """

    def play(page: str) -> None:
        folder = stage.copy_for(REPOSITORY / page, tmp_path_factory.mktemp("page") / "page")
        with Player(
            folder, page_environment, _cluster_in(folder, page_environment), new_bucket(lab_address)
        ) as player:
            player.play(REPOSITORY / page, page)
        shutil.rmtree(folder)  # of a page that fails, what it made is kept to be looked at

    pages = [
        item.callspec.params["page"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and "played" in item.fixturenames
    ]
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {page: pool.submit(play, page) for page in pages}
        pool.shutdown(cancel_futures=True)


@pytest.fixture
def bare_player(tmp_path: Path) -> Iterator[Player]:
    """Plays one page in an empty folder, without servers: for pages that tests write."""
    (tmp_path / "page").mkdir()
    with Player(tmp_path / "page", dict(os.environ)) as opened:
        yield opened


def _cluster_in(folder: Path, environment: dict[str, str]) -> Callable[[], AbstractContextManager[str]]:
    """A scheduler and a worker in ``folder``, started as their commands."""

    @contextmanager
    def cluster() -> Iterator[str]:
        started: list[Running] = []
        try:
            address = _started(started, "dask scheduler", folder, environment)
            _started(started, f"dask worker {address} --nthreads 1", folder, environment)
            yield address
        finally:
            for running in reversed(started):
                running.stop()

    return cluster


def _started(started: list[Running], text: str, folder: Path, environment: dict[str, str]) -> str:
    found = serving(text)
    assert found is not None
    command = text
    for entry in INSTEAD:
        if entry.pattern.startswith("^dask"):
            command = re.sub(entry.pattern, entry.by, command)
    running = Running.start(Command("the test's own", text), command, folder, environment)
    started.append(running)
    running.wait_until(lambda: re.search(found.ready, running.text))
    match = re.search(found.ready, running.text)
    assert match is not None
    return match.groupdict().get("address", "")
