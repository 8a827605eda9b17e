import pytest

from data.emodb import EmoDb
from schemas.labels import Emotion, Gender


def test_every_field_of_a_name_is_read(tree) -> None:
    (clip,) = EmoDb().scan(tree("wav/03a01Fa.wav")).clips
    assert (clip.clip_id, clip.speaker, clip.gender) == ("emodb/03a01Fa", "emodb/03", Gender.MALE)
    assert (clip.emotion, clip.label) == (Emotion.HAPPY, "happiness")
    assert (clip.sentence, clip.repetition) == ("a01", 1)


def test_the_letters_are_those_of_the_german_words(tree) -> None:
    clips = EmoDb().scan(tree(*(f"08b09{letter}b.wav" for letter in "WLEAFTN"))).clips
    assert {clip.clip_id[-2]: str(clip.emotion) for clip in clips} == {
        "W": "angry",
        "L": "bored",
        "E": "disgust",
        "A": "fearful",
        "F": "happy",
        "T": "sad",
        "N": "neutral",
    }
    assert {clip.repetition for clip in clips} == {2}


def test_five_speakers_are_women_and_five_men(tree) -> None:
    speakers = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")
    scan = EmoDb().scan(tree(*(f"{speaker}a02Na.wav" for speaker in speakers)))
    women = {clip.speaker[-2:] for clip in scan.clips if clip.gender is Gender.FEMALE}
    assert women == {"08", "09", "13", "14", "16"}
    assert len(scan.clips) == 10


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("04a01Fa.wav", "speaker 04"),
        ("03a03Fa.wav", "text a03"),
        ("03a01Xa.wav", "emotion X"),
        ("03a01F.wav", "not named like"),
        ("lablaut/03a01Fa.lablaut", "not an audio file"),
    ],
)
def test_other_names_are_ignored_with_the_reason(tree, name: str, reason: str) -> None:
    scan = EmoDb().scan(tree(name))
    assert scan.clips == ()
    assert reason in scan.ignored[0].reason
