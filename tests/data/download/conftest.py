"""Small corpora in the form in which their publishers give them out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from data.download.download import Downloaded, download
from data.download.offers import MIRROR, offer
from data.download.web import DownloadPatience, Web
from tests.data.download.publisher import Publisher, publishing

QUICK = DownloadPatience(attempts=4, first_s=0.01, longest_s=2.0)
Files = dict[str, bytes]


def noise(seed: int, size: int) -> bytes:
    """Bytes that do not compress: what a zip of recordings is like."""
    return random.Random(seed).randbytes(size)


@pytest.fixture(scope="session")
def ravdess_files() -> Files:
    """Six clips of two actors."""
    names = [f"Actor_{a:02}/03-01-{e:02}-01-01-01-{a:02}.wav" for a in (1, 2) for e in (1, 2, 3)]
    return {name: noise(i, 50_000) for i, name in enumerate(names)}


@pytest.fixture(scope="session")
def tess_files() -> Files:
    names = [f"{who}_{word}_{emotion}.wav" for who in ("OAF", "YAF") for word in ("back", "bar")
             for emotion in ("angry", "sad")]  # fmt: skip
    return {f"{name[:3]}/{name}" if "YAF" in name else name: noise(i, 20_000) for i, name in enumerate(names)}


@pytest.fixture(scope="session")
def cremad_files() -> Files:
    """130 clips: more than one request for addresses takes."""
    names = [
        f"AudioWAV/{1001 + i}_DFA_{e}_XX.wav" for i in range(26) for e in ("ANG", "DIS", "FEA", "HAP", "SAD")
    ]
    return {name: noise(i, 3_000) for i, name in enumerate(names)}


class Watcher:
    """Holds that every counter of work that succeeds ends at its announced total."""

    @contextmanager
    def counter(self, description: str, unit: str) -> Iterator[Callable[[int, int], None]]:
        seen: list[tuple[int, int]] = []
        yield lambda done, total: seen.append((done, total))
        assert all(0 <= done <= total for done, total in seen)
        assert seen[-1][0] == seen[-1][1]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Publisher], Publisher]]:
    """Start a publisher, to which all downloads of this test go."""
    with ExitStack() as stack:

        def start(publisher: Publisher) -> Publisher:
            started = stack.enter_context(publishing(publisher))
            monkeypatch.setenv(MIRROR, started.url)
            return started

        yield start


@pytest.fixture
def get(tmp_path: Path) -> Callable[..., Downloaded]:
    """Download a corpus into ``tmp_path / "corpora"``; messages on the way are added to ``notices``."""

    def run(name: str, patience: DownloadPatience = QUICK, notices: list[str] | None = None) -> Downloaded:
        web = Web(patience, (notices if notices is not None else []).append)
        return download(offer(name), tmp_path / "corpora", web, Watcher())

    return run


def content(folder: Path) -> Files:
    """Files under a folder, hidden ones left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
