"""The sentence that says which sentences training and test share."""

from __future__ import annotations

import pytest

from tests.training.claims import claim
from training.audits.sentences import SharedSentences
from training.report.sentences import HOW_TO_HOLD_OUT, sentence_note


def shared(name: str, tested: int, heard: int | None) -> SharedSentences:
    return SharedSentences((name,), tested, heard)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([("ravdess", 2, 2)], f"Training and test share both test sentences of ravdess; {HOW_TO_HOLD_OUT}."),
        ([("tess", 200, 200)], f"Training and test share all 200 test sentences of tess; {HOW_TO_HOLD_OUT}."),
        (
            [("cremad", 12, 3)],
            f"Training and test share 3 of the 12 test sentences of cremad; {HOW_TO_HOLD_OUT}.",
        ),
        ([("demo", 1, 1)], "Training and test share the only test sentence of demo."),
        ([("ravdess", 1, 0)], "Training and test share no sentence of ravdess."),
        (
            [("emodb", 10, 0), ("ravdess", 2, 2)],
            (
                "Training and test share no sentence of emodb and both test sentences of ravdess; "
                f"{HOW_TO_HOLD_OUT}."
            ),
        ),
        (
            [("mine", 0, 0), ("ravdess", 2, 2)],
            (
                "Training and test share both test sentences of ravdess; the corpus mine does not identify "
                "its sentences."
            ),
        ),
        ([("mine", 0, 0), ("yours", 0, 0)], "The corpora mine and yours do not identify their sentences."),
        ([("mine", 0, None)], "The corpus mine does not identify its sentences."),
        (
            [("ravdess", 2, None)],
            (
                "Whether training heard the test sentences of ravdess is not known, because the store lacks "
                "training clips."
            ),
        ),
    ],
)
def test_one_test(parts: list[tuple[str, int, int | None]], expected: str) -> None:
    assert sentence_note([[shared(*part) for part in parts]], claim()) == expected


def test_folds_that_agree_are_said_once() -> None:
    folds = [[shared("ravdess", 2, 2)]] * 6
    assert sentence_note(folds, claim()) == sentence_note(folds[:1], claim())
    held_out = [[shared("tess", tested, 0)] for tested in (100, 98)]
    assert sentence_note(held_out, claim()) == "Training and test share no sentence of tess."
    whole = [[shared("tess", tested, tested)] for tested in (100, 98)]
    assert sentence_note(whole, claim()).startswith("Training and test share all test sentences of tess; ")


def test_folds_that_differ_have_a_range() -> None:
    folds = [[shared("tess", 200, 150)], [shared("tess", 100, 85)]]
    assert sentence_note(folds, claim()).startswith(
        "Training and test share 75 to 85 % (by fold) of the test sentences of tess; --protocol"
    )


def test_sentences_of_different_corpora_are_not_compared() -> None:
    across = claim(protocol="cross-corpus", crosses_corpora=True)
    assert sentence_note([[shared("tess", 200, 0)]], across) == (
        "Training and test come from different corpora, whose sentences are not compared."
    )
