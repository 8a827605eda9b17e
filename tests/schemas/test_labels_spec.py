from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.errors import UnknownNameError
from schemas.labels import Target
from schemas.labels_spec import LabelsSpec

QUADRANTS = {"happy": "positive", "angry": "negative", "excited": "positive", "stress": "negative"}


def test_a_map_gives_its_classes_in_the_order_in_which_they_appear() -> None:
    labels = LabelsSpec.model_validate({"map": QUADRANTS})
    chosen = labels.label_set()
    assert (labels.set, chosen.classes) == ("own", ("positive", "negative"))
    assert chosen.emotion_of("excited") == "positive"
    assert chosen.emotion_of("neutral") is None
    assert chosen.class_names(Target.GENDER_EMOTION)[2:] == ("male_positive", "male_negative")
    assert labels.described == "own (positive, negative)"


def test_a_map_survives_json() -> None:
    labels = LabelsSpec.model_validate({"set": "quadrants", "map": QUADRANTS})
    assert LabelsSpec.model_validate_json(labels.model_dump_json()).label_set() == labels.label_set()


def test_all_is_every_emotion_that_is_there_known_ones_first() -> None:
    labels = LabelsSpec(set="all")
    with pytest.raises(UnknownNameError):
        labels.label_set()
    resolved = labels.resolve(["stress", "sad", "happy"])
    assert resolved.label_set().classes == ("happy", "sad", "stress")
    assert resolved.resolve(["angry", "sad"]) == resolved


def test_a_named_label_set_stays_itself() -> None:
    assert LabelsSpec(set="common7").resolve(["stress", "calm"]) == LabelsSpec(set="common7")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"set": "common9"}, "unknown label set 'common9'; choose one of common7"),
        ({"set": "common7", "map": QUADRANTS}, "label set 'common7' has a map already"),
        ({"map": {"happy": "yes"}}, "map has 1 class"),
        ({"map": {"Happy": "yes", "sad": "no"}}, "'Happy' cannot name an emotion"),
        ({"map": {"happy": "Yes!", "sad": "no"}}, "'Yes!' cannot name an emotion"),
    ],
)
def test_what_cannot_be_learnt_is_refused(values: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        LabelsSpec.model_validate(values)
