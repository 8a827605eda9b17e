from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from featurestore.store import FeatureStore
from schemas.errors import RunError, UsageError
from schemas.recipe import Recipe, load_recipe
from training.plan.requirements import InputSelection, selection_of

RECIPE = load_recipe("four-corpora-a")
ALL = ("mel", "mfcc", "rms", "zcr")


@pytest.fixture
def store(demo_store: Path) -> FeatureStore:
    return FeatureStore.open(demo_store)


def changed(**parts: Any) -> Recipe:
    """The shipped recipe with some of its parts replaced."""
    content = load_recipe("four-corpora-a").model_dump()
    for name, value in parts.items():
        content[name] = {**content[name], **value} if isinstance(value, dict) else value
    return Recipe.model_validate(content)


def test_the_recipe_that_built_the_store_fits_with_all_views(store: FeatureStore) -> None:
    recipe = load_recipe("four-corpora-a")
    assert selection_of(store, recipe, recipe.name) == InputSelection(ALL, (0, 1, 2, 3, 4, 5, 6))


def test_a_recipe_of_fewer_features_and_views_fits_in_the_stores_order(store: FeatureStore) -> None:
    recipe = changed(features=[{"kind": "zcr"}, {"kind": "mfcc"}], train={"views": (5, 0)})
    assert selection_of(store, recipe, recipe.name) == InputSelection(("mfcc", "zcr"), (0, 5))


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"audio": {"trim_db": 30.0}}, r"its audio has trim_db 40.0 \(recipe: 30.0\)"),
        ({"spectral": {"hop_length": 256}}, r"its framing has hop_length 512 \(recipe: 256\)"),
        ({"features": [{"kind": "mel", "n_mels": 64}]}, r"its mel has n_mels 128 \(recipe: 64\)"),
        (
            {
                "views": [*RECIPE.views, {"name": "p", "kind": "pitch", "semitones": 1.0}],
                "train": {"views": (0, 7)},
            },
            "needs views 0, 7, but the store has 0 to 6",
        ),
        (
            {"views": [{"name": "noise", "kind": "noise", "snr_db": (0.0, 5.0)}]},
            r"its view 1 has snr_db \(10.0, 30.0\) \(recipe: \(0.0, 5.0\)\)",
        ),
    ],
)
def test_a_store_of_other_numbers_is_refused_with_the_command_that_builds_the_right_one(
    store: FeatureStore, parts: dict[str, Any], complaint: str
) -> None:
    command = (
        r"ser-features build --recipe 'my recipes/a\.toml' --datasets ravdess,tess,savee,cremad --augment"
    )
    with pytest.raises(RunError, match=rf"{complaint}.*{command}"):
        selection_of(store, changed(**parts), "my recipes/a.toml")


def test_views_that_neither_store_nor_recipe_has_are_no_reason_to_build(store: FeatureStore) -> None:
    with pytest.raises(UsageError, match="no view 7: recipe 'four-corpora-a' has views 0 to 6") as caught:
        selection_of(store, changed(train={"views": (0, 7)}), "four-corpora-a")
    assert "ser-features build" not in str(caught.value)


@pytest.mark.parametrize("views", [(), (0, 0), (-1,)])
def test_senseless_views_are_a_sentence(store: FeatureStore, views: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="without repeats"):
        selection_of(store, changed(train={"views": views}), "four-corpora-a")
