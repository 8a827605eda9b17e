from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import UsageError
from schemas.overrides import override
from schemas.recipe import load_recipe
from training.runs.options import Options
from training.runs.request import MatrixRequest


def test_a_model_alone_stands_for_the_recipe_that_it_is_of() -> None:
    assert Options(model="A").recipe_name() == "four-corpora-a"
    assert Options(model="C").recipe_name() == "four-corpora-c"
    assert Options(model="tess-delta").recipe_name() == "tess-delta"
    assert Options(model="functionals").recipe_name() == "four-corpora-a"
    assert Options(model="B", recipe="cremad").recipe_name() == "cremad"
    assert Options().recipe_name() == "four-corpora-a"


def test_options_change_the_recipe_and_set_comes_last() -> None:
    recipe = load_recipe("four-corpora-a")
    options = Options(
        model="B",
        datasets="ravdess, tess",
        views="0,2-4",
        where='emotion != "calm"',
        epochs=3,
        batch_size=8,
        protocol="cross-corpus",
        test_on="tess",
        set=("train.epochs=4",),
    )
    found = override(recipe, options.changes(recipe))
    assert found.model.name == "B"
    assert found.datasets == ("ravdess", "tess")
    assert found.train.views == (0, 2, 3, 4)
    assert found.where == 'emotion != "calm"'
    assert (found.train.epochs, found.train.batch_size) == (4, 8)
    assert (found.split.protocol, found.split.test_corpora) == ("cross-corpus", ("tess",))


def test_all_and_an_empty_query_take_back_what_the_recipe_says() -> None:
    recipe = override(
        load_recipe("four-corpora-a"), ["where=snr_db > 1", 'datasets=["tess"]', "train.views=[0]"]
    )
    options = Options(datasets="all", views="all", where="")
    found = override(recipe, options.changes(recipe))
    assert (found.where, found.datasets, found.train.views) == (None, None, None)


def test_options_that_say_nothing_change_nothing() -> None:
    recipe = load_recipe("cremad")
    assert Options().changes(recipe) == ()
    assert Options().given_names == ()
    assert Options(model="cremad").changes(recipe) == ()
    assert Options(batch_size=1, leak_views=True).given_names == ("--batch-size", "--leak-views")


@pytest.mark.parametrize("views", ["x", "0,,1", "3-1", "0,0", "-1"])
def test_views_that_cannot_be_read_are_refused(views: str) -> None:
    from schemas.errors import UsageError

    with pytest.raises(UsageError, match=f"--views {views}"):
        Options(views=views).changes(load_recipe("cremad"))


def test_features_are_those_of_the_recipe_computed_ones_encoders_or_imported() -> None:
    recipe = load_recipe("four-corpora-a")
    given = override(recipe, Options(features="mfcc, chroma,egemaps,whisper-base").changes(recipe))
    listed = next(feature for feature in recipe.features if feature.name == "mfcc")
    assert given.features[0] == listed
    assert [(feature.kind, feature.name) for feature in given.features] == [
        ("mfcc", "mfcc"),
        ("chroma", "chroma"),
        ("imported", "egemaps"),
        ("encoder", "whisper-base"),
    ]


@pytest.mark.parametrize(
    ("features", "message"), [("mel,mel", "name each feature once"), ("eGeMAPS", "unlike 'eGeMAPS'")]
)
def test_features_that_cannot_be_are_refused(features: str, message: str) -> None:
    recipe = load_recipe("four-corpora-a")
    with pytest.raises(UsageError, match=message):
        Options(features=features).changes(recipe)


def test_a_matrix_is_a_protocol_of_its_own() -> None:
    found = Options(protocol="cross-corpus", matrix=True, steps="balance, normalise")
    assert found.matrix_request(fold=None, split=None) == MatrixRequest(("normalise", "balance"))
    assert found.changes(load_recipe("four-corpora-a")) == ()
    assert Options(matrix=True).matrix_request(fold=None, split=None) == MatrixRequest()
    assert Options(protocol="cross-corpus").matrix_request(fold=None, split=None) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(steps="balance"), "--steps compares cells of a matrix; add --protocol cross-corpus"),
        (Options(matrix=True, protocol="loso"), "--matrix is of the protocol cross-corpus, not loso"),
        (Options(matrix=True, test_on="tess", train_on="ravdess"), "leave out --train-on, --test-on"),
        (Options(matrix=True, leak_views=True), "leave out --leak-views"),
        (Options(matrix=True, steps="whiten"), "name each of normalise and balance at most once"),
        (Options(matrix=True, steps="balance,balance"), "at most once"),
    ],
)
def test_options_that_contradict_a_matrix_are_refused(options: Options, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options.matrix_request(fold=None, split=None)


def test_a_matrix_has_neither_a_fold_nor_a_split() -> None:
    with pytest.raises(UsageError, match="leave out --fold, --split"):
        Options(matrix=True).matrix_request(fold=1, split=Path("split.json"))
