from __future__ import annotations

import pytest

from schemas.errors import UnknownNameError, UsageError
from schemas.named_models import MODELS
from schemas.overrides import override
from schemas.recipe import load_recipe

RECIPE = load_recipe("four-corpora-a")


def test_a_change_replaces_one_field_and_nothing_else() -> None:
    changed = override(RECIPE, ["train.lr=3e-4"])
    assert changed.train.lr == 3e-4
    assert changed.model_copy(update={"train": RECIPE.train}) == RECIPE
    assert RECIPE.train.lr == 1e-3


def test_values_are_toml_bare_words_or_nothing() -> None:
    changed = override(
        RECIPE,
        [
            "train.views=[0, 2]",
            "train.optimiser=adamw",
            'labels.set = "common6"',
            "where=snr_db > 10 and clipping_ratio == 0",
            "datasets=null",
            "train.spec_augment.band_masks=2",
        ],
    )
    assert changed.train.views == (0, 2)
    assert changed.train.optimiser == "adamw"
    assert changed.labels.set == "common6"
    assert changed.where == "snr_db > 10 and clipping_ratio == 0"
    assert changed.datasets is None
    assert changed.train.spec_augment.band_masks == 2


def test_later_changes_win_and_fields_that_need_each_other_are_checked_together() -> None:
    assert override(RECIPE, ["train.epochs=3", "train.epochs=5"]).train.epochs == 5
    crossed = override(RECIPE, ["split.protocol=cross-corpus", 'split.test_corpora=["tess"]'])
    assert crossed.split.test_corpora == ("tess",)
    assert override(RECIPE, ["split.protocol=kfold:4"]).split.folds == 4


def test_a_feature_or_view_is_addressed_by_its_name() -> None:
    whisper = load_recipe("whisper-base")
    changed = override(
        whisper,
        ["features.whisper-base.layers=[3]", "features.whisper-base.pooling=mean", "views.noise.snr_db=5"],
    )
    (feature,) = changed.features
    assert feature == whisper.features[0].model_copy(update={"layers": (3,), "pooling": "mean"})
    assert changed.views[0] == whisper.views[0].model_copy(update={"snr_db": 5.0})
    assert changed.views[1:] == whisper.views[1:]


def test_names_of_features_and_views_may_have_dots() -> None:
    tiny = override(load_recipe("whisper-tiny"), ["features.whisper-tiny.en.layers=[1]"])
    assert tiny.features[0].model_dump()["layers"] == (1,)
    changed = override(load_recipe("whisper-layers"), ["views.speed0.8.factor=0.9"])
    assert changed.views[4].model_dump() == {"name": "speed0.8", "kind": "speed", "factor": 0.9}


def test_a_models_name_takes_all_of_it_and_fields_beside_it_replace_its_own() -> None:
    assert override(RECIPE, ["model.hidden=7", "model.name=B"]).model == MODELS["B"]
    changed = override(RECIPE, ["model.name=B", "model.hidden=7"]).model
    assert changed == MODELS["B"].model_copy(update={"hidden": 7})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("train.lr", "'train.lr' sets nothing; give a field and its value, such as train.lr=3e-4"),
        ("=3", "'=3' sets nothing"),
        ("train.rate=1", "a recipe has no 'train.rate'; it has average, balance, batch_size,"),
        ("trian.lr=1", "a recipe has no 'trian'; it has audio, datasets,"),
        ("train.lr.x=1", "a recipe has no 'train.lr'"),
        ("train=3", "'train' has fields of its own; it has average,"),
        ("features.chroma.n_chroma=6", "a recipe has no 'features.chroma'; it has mel, mfcc, rms, zcr"),
        ("features.mel=64", "'mel' has fields of its own; it has kind, n_mels"),
        ("features.mel.n_mels=1", "features.mel.n_mels=1: features.0"),
        ("train.lr=-1", "train.lr=-1: must be greater than 0"),
        ("train.monitor=f1", "train.monitor=f1: must be 'loss', 'wa', 'ua' or 'last'"),
        ("split.test_corpora=[1]", "split.test_corpora"),
        ("split.leak_views=true", "leak_views applies to the protocol random, not speaker"),
    ],
)
def test_a_change_that_cannot_be_made_is_a_sentence_about_it(change: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        override(RECIPE, [change])
    assert sentence in str(caught.value)


def test_a_model_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(UnknownNameError, match="unknown model 'Z'; choose one of A, B, C"):
        override(RECIPE, ["model.name=Z"])
