from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.protocol import SplitSpec


def test_speakers_are_the_default() -> None:
    assert SplitSpec() == SplitSpec(protocol="speaker", validation=0.15, test=0.15)


@given(st.integers(2, 1000))
def test_kfold_is_written_with_its_number_and_read_back(folds: int) -> None:
    spec = SplitSpec.model_validate({"protocol": f"kfold:{folds}"})
    assert (spec.protocol, spec.folds) == ("kfold", folds)
    assert SplitSpec.model_validate({"protocol": spec.shorthand}) == spec
    assert SplitSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("name", ["speaker", "loso", "emobox", "random"])
def test_other_protocols_are_one_word(name: str) -> None:
    assert SplitSpec.model_validate({"protocol": name}).shorthand == name


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"protocol": "actor"}, "Input should be"),
        ({"protocol": "kfold:1"}, "K from 2 to 1000, not 'kfold:1'"),
        ({"protocol": "kfold:"}, "K from 2 to 1000"),
        ({"protocol": "kfold:five"}, "K from 2 to 1000"),
        ({"protocol": "loso:5"}, "Input should be"),
        ({"protocol": "cross-corpus"}, "needs test_corpora, the corpora to test on"),
        (
            {"protocol": "cross-corpus", "train_corpora": ["a", "b"], "test_corpora": ["b"]},
            "b cannot be in both train_corpora and test_corpora",
        ),
        ({"protocol": "speaker", "test_corpora": ["a"]}, "apply to the protocol cross-corpus, not speaker"),
        (
            {"protocol": "speaker", "leak_views": True},
            "leak_views applies to the protocol random, not speaker",
        ),
        ({"validation": 0.5}, "less than 0.5"),
        ({"test": 0}, "greater than 0"),
        ({"held_out": 0.1}, "Extra inputs"),
    ],
)
def test_contradictions_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SplitSpec.model_validate(fields)


def test_what_belongs_to_a_protocol_is_taken() -> None:
    assert SplitSpec(protocol="random", leak_views=True).leak_views
    crossed = SplitSpec(protocol="cross-corpus", test_corpora=("savee",))
    assert crossed.train_corpora == ()
