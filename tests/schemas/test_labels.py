import pytest

from schemas.errors import UnknownNameError
from schemas.labels import (
    LABEL_SETS,
    Emotion,
    Target,
    is_emotion_name,
    label_set,
    sort_emotions,
)

EIGHT = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def test_common7_merges_calm_into_neutral_and_leaves_bored_out() -> None:
    common7 = label_set("common7")
    assert len(common7.classes) == 7
    assert common7.emotion_of("calm") is Emotion.NEUTRAL
    assert common7.emotion_of("bored") is None
    assert common7.emotion_of("stress") is None


def test_common6_drops_calm_and_surprised() -> None:
    common6 = label_set("common6")
    assert {e for e in EIGHT if common6.emotion_of(e) is None} == {"calm", "surprised"}


def test_ravdess8_keeps_the_eight() -> None:
    assert label_set("ravdess8").classes == EIGHT
    assert all(label_set("ravdess8").emotion_of(e) == e for e in EIGHT)
    assert all(label_set("ravdess8").emotion_of(e) is None for e in set(Emotion) - set(EIGHT))


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


@pytest.mark.parametrize("name", ["stress", "no stress", "4", "low-arousal", "überrascht", "生气", "x" * 32])
def test_an_emotion_may_have_any_lower_case_name(name: str) -> None:
    assert is_emotion_name(name)


@pytest.mark.parametrize(
    "name",
    ["", " ", "Stress", "a  b", " a", "a ", "a\n", "a,b", "a/b", "x" * 33, "u\u0308ber", "_a", "a\x00"],
)
def test_a_name_that_could_be_written_in_two_ways_or_break_a_file_is_refused(name: str) -> None:
    assert not is_emotion_name(name)


def test_known_emotions_come_first_in_their_order_then_others_by_name() -> None:
    assert sort_emotions(["zen", "other", "bored", "happy", "angst"]) == (
        "happy",
        "bored",
        "other",
        "angst",
        "zen",
    )
