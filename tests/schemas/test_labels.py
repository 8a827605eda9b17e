import pytest

from schemas.errors import UnknownNameError
from schemas.labels import LABEL_SETS, Emotion, Target, label_set


def test_common7_merges_calm_into_neutral_and_leaves_bored_out() -> None:
    common7 = label_set("common7")
    assert len(common7.classes) == 7
    assert common7.emotion_of("calm") is Emotion.NEUTRAL
    assert common7.emotion_of("bored") is None


def test_common6_drops_calm_and_surprised() -> None:
    common6 = label_set("common6")
    assert {e for e in Emotion if common6.emotion_of(e) is None} == {"calm", "surprised", "bored"}


def test_ravdess8_keeps_the_eight() -> None:
    assert all(label_set("ravdess8").emotion_of(e) is e for e in Emotion if e is not Emotion.BORED)


@pytest.mark.parametrize("name", LABEL_SETS)
def test_every_rule_leads_to_a_class_and_every_class_has_itself(name: str) -> None:
    chosen = label_set(name)
    assert set(chosen.rule.values()) == set(chosen.classes)
    assert all(chosen.rule[emotion] is emotion for emotion in chosen.classes)


def test_gender_emotion_classes_are_gender_by_gender() -> None:
    names = label_set("common7").class_names(Target.GENDER_EMOTION)
    assert len(names) == len(set(names)) == 14
    assert names[:2] == ("female_angry", "female_disgust")
    assert names[7] == "male_angry"


def test_an_unknown_label_set_is_named() -> None:
    with pytest.raises(UnknownNameError, match="common9"):
        label_set("common9")
