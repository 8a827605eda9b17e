"""A store of several shards and corpora, small enough to be read many times, and both codec pipelines."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr

from featurestore import store as store_module
from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from tests.tiny_store import TINY_RECIPE
from training.samples.samples import Samples, cross

FEATURES = ("rms", "mel")
"""Not in the store's order, so that stacking is seen to be by request."""

PIPELINES = ("zarrs.ZarrsCodecPipeline", "zarr.core.codec_pipeline.BatchedCodecPipeline")


@pytest.fixture(scope="session")
def two_corpora(whole_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished store: corpora ``demo`` of two units and ``more`` of one, three views. Do not change it."""
    root = tmp_path_factory.mktemp("loader")
    recipe = root / "tiny.toml"
    recipe.write_text(TINY_RECIPE)
    for source in sorted((whole_demo / "demo").glob("*/*_s1_*_1.wav")):
        target = root / "more" / source.stem.split("_")[-2] / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    out = root / "two.zarr"
    datasets = f"demo={whole_demo / 'demo'},more={root / 'more'}"
    build(BuildRequest(out, root, datasets, SpecRequest(recipe=str(recipe))))
    return out


@pytest.fixture(params=PIPELINES, ids=("rust", "python"))
def pipeline(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each codec pipeline in turn; the Rust one may not leave anything to Python."""
    monkeypatch.setattr(store_module, "RUST_CODECS", request.param)
    with zarr.config.set({"codec_pipeline.strict": True}):
        yield request.param


@pytest.fixture(scope="session")
def samples(two_corpora: Path) -> Samples:
    """Two of three clips, in every view: runs have gaps, chunks lose their ends."""
    clips = np.arange(len(FeatureStore.open(two_corpora).manifest))
    clips = clips[(clips % 3 > 0) & (clips // 40 % 4 != 2)]
    return cross(clips, clips % 5, (0, 1, 2))
