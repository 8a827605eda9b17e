"""Fixtures that play the pages of the documentation."""

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
from tests.docs.stage import Stage, environment_of, make_stage, save_encoders
from tests.prepared import prepared_commands
from tests.servers.s3 import new_bucket, s3_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of played pages, in order, after the other tests here, which run in the meantime."""
    here = [at for at, item in enumerate(items) if item.path.is_relative_to(Path(__file__).parent)]
    for at, item in zip(here, sorted((items[at] for at in here), key=_turn), strict=True):
        items[at] = item


@pytest.fixture(scope="session", autouse=True)
def playing(request: pytest.FixtureRequest) -> None:
    """Start playing with the first test of this folder if any test needs a played page.

    If several processes share the tests, the one that has the pages starts with the first page.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ and any(map(_is_of_a_played_page, request.session.items)):
        request.getfixturevalue("played")


@pytest.fixture(scope="session")
def lab_address() -> Iterator[str]:
    """An S3 server with a bucket for each page, which stands for ``s3://lab``."""
    with s3_server() as address:
        yield address


@pytest.fixture(scope="session")
def page_environment(tmp_path_factory: pytest.TempPathFactory, lab_address: str) -> Iterator[dict[str, str]]:
    """Variables of the commands of pages: there are two hundred, so they are prepared ones."""
    home = tmp_path_factory.mktemp("home")
    save_encoders(home / "encoders")
    variables = environment_of(home, lab_address)
    with prepared_commands(tmp_path_factory.mktemp("commands"), variables) as programs:
        yield {**variables, "PATH": f"{programs}{os.pathsep}{variables['PATH']}"}


@pytest.fixture(scope="session")
def stage(
    tmp_path_factory: pytest.TempPathFactory, whole_demo: Path, page_environment: dict[str, str]
) -> Stage:
    """The folder that every page starts from. It is shared: play in a copy."""
    return make_stage(tmp_path_factory.mktemp("stage") / "stage", whole_demo, page_environment)


@pytest.fixture(scope="session")
def played(
    request: pytest.FixtureRequest,
    stage: Stage,
    tmp_path_factory: pytest.TempPathFactory,
    page_environment: dict[str, str],
    lab_address: str,
) -> Iterator[Mapping[str, Future[None]]]:
    """The play of every page that this run of pytest needs, two at a time, each in its own folder.

    A page mostly waits for one core while Python imports modules. Pages with the most commands start first;
    otherwise a long one would be played alone at the end.
    """

    def play(page: str) -> None:
        folder = stage.copy_for(REPOSITORY / page, tmp_path_factory.mktemp("page") / "page")
        with Player(
            folder, page_environment, _cluster_in(folder, page_environment), new_bucket(lab_address)
        ) as player:
            player.play(REPOSITORY / page, page)
        shutil.rmtree(folder, ignore_errors=True)  # the folder of a failing page is kept

    pages = [
        item.callspec.params["page"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and _is_of_a_played_page(item)
    ]
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {page: pool.submit(play, page) for page in sorted(pages, key=_commands, reverse=True)}
        pool.shutdown(cancel_futures=True)


def _is_of_a_played_page(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and "played" in item.fixturenames


def _turn(item: pytest.Item) -> tuple[bool, int]:
    """Return the sort key of a test: tests of pages last, in the order in which pages start."""
    if isinstance(item, pytest.Function) and _is_of_a_played_page(item):
        return True, -_commands(item.callspec.params["page"])
    return False, 0


def _commands(page: str) -> int:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return len(re.findall(r"^(?:\$ )?(?:ser-|torchrun )", text, re.MULTILINE))


@pytest.fixture
def bare_player(tmp_path: Path) -> Iterator[Player]:
    """A player for one page in an empty folder, without servers, for pages that tests write."""
    (tmp_path / "page").mkdir()
    with Player(tmp_path / "page", dict(os.environ)) as opened:
        yield opened


def _cluster_in(folder: Path, environment: dict[str, str]) -> Callable[[], AbstractContextManager[str]]:
    """Start a scheduler and a worker in ``folder`` with their commands."""

    @contextmanager
    def cluster() -> Iterator[str]:
        started: list[Running] = []
        try:
            address = _start(started, "dask scheduler", folder, environment)
            _start(started, f"dask worker {address} --nthreads 1", folder, environment)
            yield address
        finally:
            for running in reversed(started):
                running.stop()

    return cluster


def _start(started: list[Running], text: str, folder: Path, environment: dict[str, str]) -> str:
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
