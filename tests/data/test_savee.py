import pytest

from data.savee import Savee
from schemas.labels import Emotion, Gender

CODES = {"a": 15, "d": 15, "f": 15, "h": 15, "n": 30, "sa": 15, "su": 15}
SPEAKERS = ("DC", "JE", "JK", "KL")


@pytest.mark.parametrize(
    "pattern", ["{s}_{c}{n:02d}.wav", "{s}/{c}{n:02d}.wav", "AudioData/{s}/{c}{n:02d}.wav"]
)
def test_every_tree_gives_the_same_480_clips(tree, pattern: str) -> None:
    root = tree(
        *(
            pattern.format(s=s, c=c, n=n)
            for s in SPEAKERS
            for c, last in CODES.items()
            for n in range(1, last + 1)
        )
    )
    scan = Savee().scan(root)
    assert len(scan.clips) == 480 == Savee().expected_clips
    assert {c.clip_id for c in scan.clips} >= {"savee/DC_a01", "savee/KL_su15", "savee/JE_n30"}
    assert {c.gender for c in scan.clips} == {Gender.MALE}
    assert sum(c.emotion is Emotion.NEUTRAL for c in scan.clips) == 120
    assert scan.ignored == ()


def test_sad_and_surprised_are_told_apart(tree) -> None:
    clips = Savee().scan(tree("DC_sa01.wav", "DC_su01.wav")).clips
    assert [c.emotion for c in clips] == [Emotion.SAD, Emotion.SURPRISED]
    assert [c.label for c in clips] == ["sadness", "surprise"]


def test_a_root_that_is_one_speakers_folder_tells_the_speaker(tree) -> None:
    (clip,) = Savee().scan(tree("h03.wav", root="JK")).clips
    assert (clip.clip_id, clip.emotion) == ("savee/JK_h03", Emotion.HAPPY)


def test_both_trees_side_by_side_count_once(tree) -> None:
    scan = Savee().scan(tree("DC_a01.wav", "AudioData/DC/a01.wav"))
    assert [c.path for c in scan.clips] == ["DC_a01.wav"]
    assert scan.ignored[0].reason == "same clip as DC_a01.wav"


def test_a_folder_that_disagrees_is_noted(tree) -> None:
    (clip,) = Savee().scan(tree("JE/DC_a01.wav")).clips
    assert clip.speaker == "savee/DC"
    assert "JE" in clip.note


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a01.wav", "speaker"),
        ("XX_a01.wav", "speaker XX"),
        ("DC_a16.wav", "01–15"),
        ("DC_n31.wav", "01–30"),
        ("DC_a00.wav", "01–15"),
        ("DC_x01.wav", "not named like"),
        ("Info.txt", "not an audio file"),
    ],
)
def test_other_names_are_ignored_with_the_reason(tree, name: str, reason: str) -> None:
    scan = Savee().scan(tree(name))
    assert scan.clips == ()
    assert reason in scan.ignored[0].reason
