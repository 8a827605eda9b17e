"""A small encoder with random weights, and stores with its features."""

from __future__ import annotations

from pathlib import Path

import pytest

from featurestore.build import BuildReport, BuildRequest, build
from featurestore.cluster.request import ClusterRequest
from featurestore.plan.spec import SpecRequest
from schemas.recipe import Recipe, parse_recipe
from tests.once import Once
from tests.tiny_store import TINY_RECIPE

MEL_RECIPE = TINY_RECIPE.replace("sample_rate = 8000", "sample_rate = 22050")
"""As the tiny recipe, at a rate from which encoders need resampling."""

POOLED = """
[[features]]
kind = "encoder"
name = "pooled"
layers = [1, 3]
pooling = "mean+std"
"""

FRAMED = """
[[features]]
kind = "encoder"
name = "framed"
layers = [2]
pooling = "frames"
stride = 2
"""


def encoder_recipe(mel: str = MEL_RECIPE, encoders: str = POOLED + FRAMED) -> str:
    """A recipe with both features after those of ``mel``."""
    return mel.replace("[[views]]", f"{encoders}\n[[views]]", 1)


THIRD_LAYER = """
[[features]]
kind = "encoder"
name = "pooled"
layers = [3]
pooling = "mean"
"""
"""One layer and one statistic of two."""


def vector_recipe(model: str, protocol: str, encoders: str = THIRD_LAYER) -> Recipe:
    """The recipe of :func:`vector_recipe_text`."""
    return parse_recipe(vector_recipe_text(model, protocol, encoders), "test")


def vector_recipe_text(model: str, protocol: str, encoders: str = THIRD_LAYER) -> str:
    """A recipe of a model on pooled states of the store, without its signal features."""
    text = encoder_recipe(encoders=encoders).replace('name = "A"', f'name = "{model}"')
    for feature in ('[[features]]\nkind = "mel"\nn_mels = 16\n', '[[features]]\nkind = "rms"\n'):
        text = text.replace(feature, "")
    head = f"""
[input]
representation = "embedding"
[split]
protocol = "{protocol}"
[train]
views = [0, 2]
"""
    return text + head


def build_with(
    out: Path,
    corpora: Path,
    recipe: Path,
    encoder: Path | None,
    *,
    jobs: int = 2,
    cluster: ClusterRequest | None = None,
    check: bool = False,
) -> BuildReport:
    """Build with the weights of both features in one folder; None: without weights."""
    folders = {} if encoder is None else {"pooled": encoder, "framed": encoder}
    spec = SpecRequest(recipe=str(recipe), encoders=folders)
    return build(BuildRequest(out, corpora, "demo", spec, jobs=jobs, cluster=cluster, check=check))


@pytest.fixture(scope="session")
def encoder(once: Once) -> Path:
    """Folder of a Whisper encoder with 3 blocks and random weights. Shared: do not change it."""

    def fill(folder: Path) -> None:
        from tests.pipelines.encoders.saved import KINDS, make_network, save

        save(make_network(KINDS["whisper"]), folder)

    return once("small-whisper", fill)


@pytest.fixture(scope="session")
def mel_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe without encoders."""
    path = tmp_path_factory.mktemp("recipe") / "mel.toml"
    path.write_text(MEL_RECIPE)
    return path


@pytest.fixture(scope="session")
def both_recipe(mel_recipe: Path) -> Path:
    """The same recipe with two features of an encoder."""
    path = mel_recipe.with_name("both.toml")
    path.write_text(encoder_recipe())
    return path


@pytest.fixture(scope="session")
def encoder_store(small_demo: Path, both_recipe: Path, encoder: Path, once: Once) -> Path:
    """A finished store of the small demo corpus with both features. Shared: do not change it."""
    return once("encoders.zarr", lambda out: build_with(out, small_demo, both_recipe, encoder))
