"""Fixtures shared by all tests: real recordings where they are, synthesised ones always."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from data.demo import write_demo
from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest

REPOSITORY = Path(__file__).resolve().parents[1]


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


@pytest.fixture(scope="session")
def whole_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpora root with the whole demo corpus."""
    root = tmp_path_factory.mktemp("whole-demo")
    write_demo(root)
    return root


def copy_first_sentence(whole: Path, root: Path) -> None:
    """Copy the first sentence and repetition of every demo voice from one corpora root to another."""
    for source in sorted((whole / "demo").glob("*/*_s1_*_1.wav")):
        target = root / "demo" / source.parent.name / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


@pytest.fixture(scope="session")
def small_demo(whole_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpora root with the first sentence and repetition of every demo voice: 112 clips of 16 speakers."""
    root = tmp_path_factory.mktemp("small-demo")
    copy_first_sentence(whole_demo, root)
    return root


@pytest.fixture(scope="session")
def demo_store(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished store of the small demo corpus with all six views. Shared: do not change it."""
    out = tmp_path_factory.mktemp("demo-store") / "demo.zarr"
    build(BuildRequest(out=out, corpora=small_demo, datasets="demo", spec=SpecRequest(augment=6)))
    return out


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
