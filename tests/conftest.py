"""Fixtures shared by all tests: real recordings where they are, synthesised ones always."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright

from data.demo import write_demo
from featurestore.build import BuildRequest, build
from featurestore.compute import worker_processes
from featurestore.plan.spec import SpecRequest

if TYPE_CHECKING:
    from tests.once import Once

pytest_plugins = ("tests.once", "tests.tiny_store", "tests.encoder_store", "tests.server_fixtures")

USUAL_SLOW_TEST_S = 10
"""Of a core; a slow test that takes much longer or shorter says so: ``slow(seconds=100)``."""

REPOSITORY = Path(__file__).resolve().parents[1]

# A busy machine is slow, and no test may fail for that. Every run draws other examples, so fifty are enough.
settings.register_profile(
    "tests", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """Give this process a Numba cache of its own, and its children the signals of a shell's foreground.

    Two processes that fill one Numba cache crash librosa (https://github.com/numba/numba/issues/10128).
    Each starts with a copy of the one that ``make dev`` has filled.

    ``nohup`` and ``&`` start pytest with SIGHUP and SIGINT ignored, and children inherit that. They do not
    inherit handlers, so with handlers here they start with the system's defaults.
    """
    cache = tempfile.TemporaryDirectory(prefix="numba-", ignore_cleanup_errors=True)
    config.add_cleanup(cache.cleanup)
    os.environ["NUMBA_CACHE_DIR"] = cache.name
    with suppress(FileNotFoundError):
        shutil.copytree(Path(sys.prefix, "numba"), cache.name, dirs_exist_ok=True)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let several processes start with the files whose slow tests take longest, then with the longest lists.

    Each file is run by one process: a long one that starts last is waited for on a single core.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        seconds: defaultdict[Path, float] = defaultdict(float)
        tests: Counter[Path] = Counter()
        for item in items:
            seconds[item.path] += _seconds_of(item)
            tests[item.path] += 1
        items.sort(key=lambda item: (-seconds[item.path], -tests[item.path], item.path))


def _seconds_of(item: pytest.Item) -> float:
    """Of a core, roughly, as the test's mark says."""
    marker = item.get_closest_marker("slow")
    return marker.kwargs.get("seconds", USUAL_SLOW_TEST_S) if marker else 0


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the test run: that of whoever runs it stays as it is."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def real_corpora() -> Path:
    """Folder with ``ravdess/Actor_NN/*.flac`` and ``tess/…``; the test is skipped where it is missing."""
    root = Path(os.environ.get("SER_TEST_CORPORA", REPOSITORY.parent / "shared" / "corpora"))
    if not (root / "ravdess").is_dir():
        pytest.skip(f"no real recordings at {root}; set SER_TEST_CORPORA to a folder with ravdess and tess")
    return root


@pytest.fixture(scope="session", autouse=True)
def builds_by_threads() -> Iterator[None]:
    """Let builds of the demo voices compute in threads: starting worker processes costs three times as much.

    Tests of the worker processes set the limit themselves.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_processes, "MANY_CLIPS", 10_000)
        yield


@pytest.fixture(scope="session")
def whole_demo(once: Once) -> Path:
    """Corpora root with the whole demo corpus. Shared: do not change it."""
    return once("whole-demo", write_demo)


def copy_first_sentence(whole: Path, root: Path) -> None:
    """Copy the first sentence and repetition of every demo voice from one corpora root to another."""
    for source in sorted((whole / "demo").glob("*/*_s1_*_1.wav")):
        target = root / "demo" / source.parent.name / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


@pytest.fixture(scope="session")
def small_demo(whole_demo: Path, once: Once) -> Path:
    """Corpora root with the first sentence and repetition of every demo voice: 112 clips of 16 speakers."""
    return once("small-demo", partial(copy_first_sentence, whole_demo))


@pytest.fixture(scope="session")
def demo_store(small_demo: Path, once: Once) -> Path:
    """A finished store of the small demo corpus with all six views. Shared: do not change it."""

    def fill(out: Path) -> None:
        build(BuildRequest(out=out, corpora=small_demo, datasets="demo", spec=SpecRequest(augment=6)))

    return once("demo.zarr", fill)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium of this machine; without one the test is skipped, or fails where one is required.

    Of one module: while it is open, the thread's event loop runs, and no other may.
    """
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        reason = "no Chromium on the path; on Debian: apt-get install chromium"
        if os.environ.get("SER_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
        )
        yield opened
        opened.close()
