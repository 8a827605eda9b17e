"""What the specification says of imported features, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.features import MelSpec, RmsSpec
from schemas.imported import ImportedSpec
from schemas.recipe import Recipe, parse_recipe
from schemas.spec import StorageSpec, StoreSpec

WHOLE = {"shape": (3,), "source": ("a.csv",), "sha256": "0" * 64, "provenance": "a.csv"}


def _feature(**changes: Any) -> ImportedSpec:
    return ImportedSpec.model_validate({"name": "x", **WHOLE, **changes})


@pytest.mark.parametrize(
    ("shape", "sizes", "rows"),
    [((3,), (1, 1, 3), 3), ((7, 3), (1, 7, 3), 3), ((2, 7, 3), (2, 7, 3), 6)],
)
def test_a_shape_gives_layers_frames_and_values(
    shape: tuple[int, ...], sizes: tuple[int, int, int], rows: int
) -> None:
    feature = _feature(shape=shape)
    assert feature.sizes == sizes == (feature.layers, feature.frames, feature.width)
    spec = StoreSpec(features=(RmsSpec(), feature))
    assert spec.shapes["x"] == (rows, sizes[1])
    assert spec.layer_counts == {"rms": 1, "x": sizes[0]}
    assert spec.signal_columns == {"rms": slice(0, 1)}
    assert spec.computed == StoreSpec(features=(RmsSpec(),))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "mel"}, "cannot be named 'mel'"),
        ({"name": "a_b"}, "unlike 'a_b'"),
        ({"shape": (130, 1, 1)}, "130 layers; the limit is 129"),
        ({"shape": (20_001, 1)}, "20,001 frames; the limit is 20,000"),
        ({"columns": ("a", "b")}, "3 values per frame, but 2 columns"),
        ({"provenance": "two\nlines"}, "control character"),
        ({"source": ("a\x1b[0m.csv",)}, "control character"),
    ],
)
def test_what_a_store_cannot_hold_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        _feature(**changes)


def test_a_store_needs_the_shape_and_steps_of_fixed_are_unknown() -> None:
    with pytest.raises(ValidationError, match="not known yet"):
        StoreSpec(features=(RmsSpec(), ImportedSpec(name="x")))
    storage = StorageSpec(dtype="float32", codec="fixed")
    with pytest.raises(ValidationError, match="codec fixed has no steps for imported features"):
        StoreSpec(features=(RmsSpec(), _feature()), storage=storage)


def test_a_recipe_names_it_and_the_store_knows_the_rest() -> None:
    text = 'name = "r"\n[[features]]\nkind = "imported"\nname = "x"\n[model]\nname = "functionals"\n'
    recipe = parse_recipe(text, "r")
    assert not recipe.is_complete
    completed = recipe.complete(StoreSpec(features=(MelSpec(), _feature())))
    assert completed.features == (_feature(),)
    assert Recipe.model_validate(completed.model_dump()).is_complete


def test_digests_of_stores_without_it_are_as_before() -> None:
    """The digest of a default specification as the release before imports computed it."""
    assert StoreSpec(features=(MelSpec(),)).digest == (
        "sha256:0f1ab911f1257c8210c19ffbf89d60d6b3c12a96ca1e50c076321a15727a88fa"
    )
