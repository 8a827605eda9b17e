"""Cells of a matrix that the manifest alone decides: shared classes, shared speakers, too few speakers."""

from __future__ import annotations

import pytest

from schemas.overrides import override
from schemas.protocol import SplitSpec
from schemas.recipe import Recipe, load_recipe
from training.plan.matrix import _cell, _Corpora, _layout
from training.runs.matrix import MatrixCell
from training.splits.people import Person

RAVDESS = ("angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised")
ACTOR = Person(("ravdess-song/01", "ravdess/01"), "ravdess", "male")
KNOWN = _Corpora(
    classes={
        "ravdess": RAVDESS,
        "ravdess-song": tuple(name for name in RAVDESS if name not in {"disgust", "surprised"}),
        "tess": tuple(name for name in RAVDESS if name != "calm"),
        "single": ("angry", "sad"),
    },
    people={"ravdess": 24, "ravdess-song": 23, "tess": 2, "single": 1},
    shared={frozenset(("ravdess", "ravdess-song")): ACTOR},
)


def recipe(*changes: str) -> Recipe:
    return override(load_recipe("four-corpora-a"), ["model.name=functionals", *changes])


def cell(train: tuple[str, ...], test: str, kind: str = "pair", label_set: str = "ravdess8") -> MatrixCell:
    return _cell(recipe(f"labels.set={label_set}"), KNOWN, kind, train, test, None)  # type: ignore[arg-type]


def test_a_class_that_one_side_lacks_is_left_out() -> None:
    assert cell(("ravdess",), "tess").classes == (
        "neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised"
    )  # fmt: skip
    assert "calm" not in cell(("tess",), "ravdess").labels
    assert "calm" in cell(("ravdess",), "ravdess", "within").labels


def test_merged_emotions_are_one_class() -> None:
    found = cell(("ravdess",), "tess", label_set="common7")
    assert found.labels["calm"] == "neutral"
    assert len(found.classes) == 7
    assert "calm" not in cell(("tess",), "tess", "within", label_set="common7").labels


def test_corpora_with_common_speakers_are_not_trained_against_each_other() -> None:
    found = cell(("ravdess",), "ravdess-song")
    assert found.folds == 0
    assert found.refused == (
        "ravdess-song/01 and ravdess/01 are one person or share a recording, which would be on both sides"
    )
    rest = cell(("ravdess-song", "tess"), "ravdess", "rest")
    assert rest.train == ("tess",)
    assert rest.remarks == ("ravdess-song is not trained on: it shares speakers or recordings with ravdess",)
    alone = cell(("ravdess-song",), "ravdess", "rest")
    assert alone.refused == "every other corpus shares speakers or recordings with ravdess"


def test_the_diagonal_has_a_fold_per_speaker_up_to_the_recipes_number() -> None:
    assert cell(("ravdess",), "ravdess", "within").folds == 5
    assert cell(("tess",), "tess", "within").folds == 2
    single = cell(("single",), "single", "within")
    assert (single.folds, single.refused) == (
        0, "single has one speaker, and a speaker-independent test needs two"
    )  # fmt: skip


def test_the_recipe_of_a_cell_has_its_corpora_split_and_classes() -> None:
    base = recipe("split.near_duplicates=report", "split.validation=0.2")
    pair = cell(("ravdess",), "tess").recipe(base)
    assert pair.datasets == ("ravdess", "tess")
    assert pair.split == SplitSpec(
        protocol="cross-corpus",
        train_corpora=("ravdess",),
        test_corpora=("tess",),
        near_duplicates="report",
        validation=0.2,
    )
    assert pair.labels.label_set().classes == cell(("ravdess",), "tess").classes
    within = cell(("tess",), "tess", "within").recipe(base)
    assert within.split.shorthand == "kfold:2"
    step = cell(("ravdess",), "tess").model_copy(update={"step": "normalise"}).recipe(base)
    assert step.input.normalise == "corpus"


@pytest.mark.parametrize(("count", "cells"), [(2, 4), (3, 12), (4, 20)])
def test_there_is_a_cell_per_pair_and_from_three_corpora_on_a_row_of_all_others(
    count: int, cells: int
) -> None:
    assert len(_layout([f"c{n}" for n in range(count)])) == cells
