"""A number depends on its recording, view and feature alone: stores grow, and come apart, byte for byte."""

import numpy as np
import pytest
import torch

from pipelines.pipeline import Pipeline
from schemas.features import named_features
from schemas.recipe import load_recipe
from schemas.spec import StorageSpec, StoreSpec

CPU = torch.device("cpu")
RECIPE = load_recipe("four-corpora-a").store_spec(6, storage=StorageSpec(dtype="float32"))
WHOLE = RECIPE.model_copy(update={"features": named_features("all", RECIPE.features)})
LENGTHS = (1, 100, 400, 512, 513, 1500, 2205, 2793, 4000, 8000, 12_000, 36_757, 66_150, 90_000)


def _part(features: str, views: slice) -> StoreSpec:
    return WHOLE.model_copy(
        update={"features": named_features(features, WHOLE.features), "views": WHOLE.views[views]}
    )


@pytest.mark.parametrize(
    ("features", "views"),
    [
        ("all", slice(0, 0)),
        ("all", slice(4, 5)),
        ("all", slice(3, 6)),
        ("mfcc,delta", slice(0, 6)),
        ("mfcc", slice(0, 1)),
        ("chroma", slice(0, 6)),
        ("rms", slice(0, 6)),
    ],
)
def test_parts_are_the_bytes_of_the_whole(features: str, views: slice) -> None:
    spec = _part(features, views)
    whole, part = Pipeline(WHOLE, CPU), Pipeline(spec, CPU)
    rng = np.random.default_rng(0)
    for length in LENGTHS:
        samples = [(rng.normal(size=length) * 0.1).astype(np.float32)]
        everything, some = whole(["clip"], samples), part(["clip"], samples)
        for here, name in enumerate(spec.view_names):
            there = WHOLE.view_names.index(name)
            for feature in spec.coefficients:
                for field in ("arrays", "mean", "m2"):
                    ours = getattr(some, field)[feature][here, 0]
                    theirs = getattr(everything, field)[feature][there, 0]
                    assert ours.tobytes() == theirs.tobytes(), (length, name, feature, field)
