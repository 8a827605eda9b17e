"""The specification of a new store, and of one that is extended."""

from __future__ import annotations

from pathlib import Path

import pytest

from featurestore.build import BuildRequest, build
from featurestore.plan import spec as spec_module
from featurestore.plan.spec import SpecRequest, choose_spec, extended_spec, new_spec
from schemas.errors import SpecError, StoreConflictError
from schemas.recipe import Recipe, load_recipe
from schemas.spec import StoreSpec


@pytest.fixture
def existing(tiny_recipe: str) -> StoreSpec:
    return load_recipe(tiny_recipe).store_spec(1, seed=7)


def test_a_new_store_follows_recipe_and_options(tiny_recipe: str) -> None:
    spec = new_spec(SpecRequest(tiny_recipe, augment=1, features="rms,zcr", seed=3, dtype="float32"))
    assert list(spec.coefficients) == ["rms", "zcr"]
    assert spec.view_names == ("original", "noise")
    assert (spec.seed, spec.storage.dtype, spec.storage.codec) == (3, "float32", "zstd")


def test_without_options_the_existing_specification_stays(existing: StoreSpec) -> None:
    assert extended_spec(SpecRequest(), existing, "x.zarr") == existing


def test_features_and_views_are_added_behind_the_existing_ones(existing: StoreSpec, tiny_recipe: str) -> None:
    spec = extended_spec(SpecRequest(tiny_recipe, seed=7, features="zcr"), existing, "x.zarr")
    assert list(spec.coefficients) == ["mel", "rms", "zcr"]
    assert spec.view_names == ("original", "noise", "fast")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (SpecRequest(augment=0), r"x.zarr was built with --augment 1, and --augment 0 would remove views"),
        (SpecRequest(seed=8), r"x.zarr was built with another specification \(seed: 7 in the store, 8"),
    ],
)
def test_options_that_contradict_the_store(request_: SpecRequest, message: str, existing: StoreSpec) -> None:
    with pytest.raises(StoreConflictError, match=message):
        choose_spec(request_, existing, "x.zarr")


def test_further_views_must_continue_the_existing_ones(tiny_recipe: str) -> None:
    recipe = load_recipe(tiny_recipe)
    existing = recipe.store_spec(0).model_copy(update={"views": recipe.views[1:]})
    with pytest.raises(StoreConflictError, match=r"views of x\.zarr are not the first ones of recipe 'four-"):
        choose_spec(SpecRequest(augment=2), existing, "x.zarr")


@pytest.mark.parametrize("request_", [SpecRequest(dtype="int8"), SpecRequest(seed=-1)])
def test_invalid_options(request_: SpecRequest, existing: StoreSpec) -> None:
    for store in (None, existing):
        with pytest.raises(SpecError):
            choose_spec(request_, store, "x.zarr")


def test_a_build_resolves_its_specification_once(
    tmp_path: Path, small_demo: Path, tiny_recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def load(name: str) -> Recipe:
        loaded.append(name)
        return load_recipe(name)

    monkeypatch.setattr(spec_module, "load_recipe", load)
    build(BuildRequest(tmp_path / "x.zarr", small_demo, "demo", SpecRequest(tiny_recipe)))
    assert loaded == [tiny_recipe]
