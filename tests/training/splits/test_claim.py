from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from schemas.training import InputSpec
from tests.training.claims import claim
from training.splits.claim import Claim, claim_of_folds

TITLES = {
    "speaker-independent (protocol: speaker)": claim(),
    "speaker-independent (protocol: emobox, fold 3 of 6)": claim(protocol="emobox", fold=3, folds=6),
    "speaker-independent (protocol: emobox, 6 folds)": claim(protocol="emobox", folds=6),
    "speaker-dependent (protocol: random)": claim("speaker-dependent", "random"),
    "leaky (protocol: random, views on both sides)": claim("leaky", "random"),
    "cross-corpus, speaker-independent (protocol: cross-corpus, tested on savee and tess)": claim(
        protocol="cross-corpus", tested_on=("savee", "tess"), crosses_corpora=True
    ),
    "speaker-independent, normalised by speaker (protocol: loso, fold 1 of 4)": claim(
        protocol="loso", normalised_by_speaker=True, fold=1, folds=4
    ),
    "cross-corpus, speaker-independent (trained on ravdess and tess, tested on emodb)": claim(
        protocol=None, tested_on=("emodb",), crosses_corpora=True
    ),
    "speaker-independent (trained on ravdess and tess, tested on mine and tess)": claim(
        protocol=None, tested_on=("mine", "tess")
    ),
}


@pytest.mark.parametrize("title", TITLES)
def test_titles_are_made_from_the_fields(title: str) -> None:
    assert TITLES[title].title == title


@pytest.mark.parametrize("title", TITLES)
def test_stored_values_give_the_same_claim(title: str) -> None:
    stored = TITLES[title].to_json()
    assert TypeAdapter(Claim).validate_python(stored) == TITLES[title]


def test_one_model_normalised_by_speaker_makes_the_mean_so() -> None:
    plain, by_speaker = InputSpec(), InputSpec(representation="functionals", normalise="speaker")
    assert not claim().with_inputs([plain]).normalised_by_speaker
    assert claim().with_inputs([plain, by_speaker]).normalised_by_speaker


def test_all_folds_together_have_the_corpora_of_each() -> None:
    folds = [claim(protocol="kfold", fold=n, folds=2, tested_on=(name,)) for n, name in ((1, "b"), (2, "a"))]
    both = claim_of_folds(folds, "kfold:2")
    assert both.title == "speaker-independent (protocol: kfold:2, 2 folds)"
    assert both.tested_on == ("a", "b")


def test_a_fold_alone_keeps_its_number() -> None:
    third = claim(protocol="kfold", fold=3, folds=3)
    assert claim_of_folds([third], "kfold:3").title == "speaker-independent (protocol: kfold:3, fold 3 of 3)"
