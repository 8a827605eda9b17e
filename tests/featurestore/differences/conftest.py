"""Stores to compare, built once."""

from pathlib import Path
from typing import Any

import pytest

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from tests.featurestore.differences.oracle import MakeStore
from tests.tiny_store import TINY_RECIPE


@pytest.fixture(scope="package")
def make(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeStore:
    """Path of a store of the small demo corpus: (recipe's text, **options of the build). Do not change it."""

    def run(recipe: str = TINY_RECIPE, corpora: Path = small_demo, **options: Any) -> Path:
        folder = tmp_path_factory.mktemp("compared")
        (folder / "recipe.toml").write_text(recipe)
        spec = SpecRequest(recipe=str(folder / "recipe.toml"), **options)
        build(BuildRequest(folder / "s.zarr", corpora, "demo", spec))
        return folder / "s.zarr"

    return run


@pytest.fixture(scope="package")
def plain(make: MakeStore) -> Path:
    """112 clips, float16, seed 0. Shared: do not change it."""
    return make()


@pytest.fixture(scope="package")
def single(make: MakeStore) -> Path:
    """The same in float32. Shared: do not change it."""
    return make(dtype="float32")
