"""A recipe so small that hundreds of clips build in a second or two, its store, and corpora to build from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from featurestore.build import BuildReport, BuildRequest, build
from featurestore.plan.spec import SpecRequest
from tests.once import Once

TINY_RECIPE = """
name = "tiny"
[audio]
sample_rate = 8000
duration_s = 0.5
[spectral]
n_fft = 256
hop_length = 128
[[features]]
kind = "mel"
n_mels = 16
[[features]]
kind = "rms"
[[views]]
name = "noise"
kind = "noise"
snr_db = [10.0, 30.0]
[[views]]
name = "fast"
kind = "speed"
factor = 1.25
[model]
name = "A"
"""

Builder = Callable[..., BuildReport]


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of the tiny recipe."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY_RECIPE)
    return str(path)


@pytest.fixture(scope="session")
def tiny_build(tiny_recipe: str) -> Builder:
    """``build`` with the tiny recipe: (out, corpora, datasets="demo", check=False, strict=False)."""

    def run(
        out: Path, corpora: Path, datasets: str = "demo", *, check: bool = False, strict: bool = False
    ) -> BuildReport:
        spec = SpecRequest(recipe=tiny_recipe)
        return build(BuildRequest(out, corpora, datasets, spec, check=check, strict=strict))

    return run


@pytest.fixture(scope="session")
def tiny_store(whole_demo: Path, tiny_build: Builder, once: Once) -> Path:
    """A finished store of the whole demo corpus, 672 clips in 3 units. Shared: do not change it."""
    return once("tiny.zarr", lambda out: tiny_build(out, whole_demo))


@pytest.fixture
def own_store(tiny_store: Path, tmp_path: Path) -> Path:
    """A copy of the tiny store that a test may damage."""
    return Path(shutil.copytree(tiny_store, tmp_path / "own.zarr"))


@pytest.fixture(scope="session")
def small_store(small_demo: Path, tiny_build: Builder, once: Once) -> Path:
    """A finished store of the small demo corpus: 112 clips in one unit. Shared: do not change it."""
    return once("small.zarr", lambda out: tiny_build(out, small_demo))


@pytest.fixture
def own_small_store(small_store: Path, tmp_path: Path) -> Path:
    """A copy of the small store that a test may damage."""
    return Path(shutil.copytree(small_store, tmp_path / "own.zarr"))


@pytest.fixture
def own_demo(small_demo: Path, tmp_path: Path) -> Path:
    """A copy of the small demo corpus that a test may change."""
    return Path(shutil.copytree(small_demo, tmp_path / "corpora"))
