import pytest

from data.tess import Tess
from schemas.labels import Emotion, Gender


def test_speaker_word_and_emotion_are_read(tree) -> None:
    (clip,) = Tess().scan(tree("YAF_fear/YAF_witch_fear.wav")).clips
    assert (clip.clip_id, clip.speaker, clip.gender) == ("tess/YAF_witch_fear", "tess/YAF", Gender.FEMALE)
    assert (clip.sentence, clip.emotion, clip.label) == ("witch", Emotion.FEARFUL, "fear")
    assert clip.note == ""


def test_the_misspelt_speaker_is_read_as_meant_and_noted(tree) -> None:
    (clip,) = Tess().scan(tree("OAF_neutral/OA_bite_neutral.wav")).clips
    assert (clip.clip_id, clip.speaker) == ("tess/OAF_bite_neutral", "tess/OAF")
    assert clip.note == "speaker written OA_, read as OAF"


def test_the_misspelt_and_the_right_name_are_one_clip(tree) -> None:
    scan = Tess().scan(tree("OAF_neutral/OA_bite_neutral.wav", "OAF_neutral/OAF_bite_neutral.wav"))
    assert len(scan.clips) == 1
    assert [item.reason for item in scan.ignored] == [f"same clip as {scan.clips[0].path}"]


@pytest.mark.parametrize(
    "ending", ["ps", "PS", "pleasant_surprise", "pleasant_surprised", "Surprise", "surprised"]
)
def test_all_spellings_of_pleasant_surprise_in_the_name(tree, ending: str) -> None:
    (clip,) = Tess().scan(tree(f"OAF_back_{ending}.wav")).clips
    assert (clip.clip_id, clip.emotion) == ("tess/OAF_back_ps", Emotion.SURPRISED)
    assert clip.label == "pleasant surprise"


@pytest.mark.parametrize(
    "folder",
    [
        "OAF_Pleasant_surprise",
        "OAF_pleasant_surprise",
        "OAF_pleasant_surprised",
        "OAF_Surprise",
        "OAF ps",
        "oaf-pleasant-surprise",
        "surprise",
        "anything",
    ],
)
def test_all_spellings_of_the_surprise_folder_agree(tree, folder: str) -> None:
    (clip,) = Tess().scan(tree(f"{folder}/OAF_back_ps.wav")).clips
    assert clip.note == ""


@pytest.mark.parametrize("folder", ["OAF_sad", "YAF_angry"])
def test_a_folder_that_disagrees_is_noted_and_the_name_is_taken(tree, folder: str) -> None:
    (clip,) = Tess().scan(tree(f"{folder}/OAF_back_angry.wav")).clips
    assert (clip.speaker, clip.emotion) == ("tess/OAF", Emotion.ANGRY)
    assert folder in clip.note


def test_the_tree_nested_in_itself_counts_once(tree) -> None:
    nested = "TESS Toronto emotional speech set data/OAF_sad/OAF_back_sad.wav"
    scan = Tess().scan(tree("OAF_sad/OAF_back_sad.wav", nested))
    assert [clip.path for clip in scan.clips] == ["OAF_sad/OAF_back_sad.wav"]
    assert [item.path for item in scan.ignored] == [nested]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("OAF_back_bored.wav", "'bored'"),
        ("MAF_back_sad.wav", "not named like"),
        ("back.wav", "not named like"),
    ],
)
def test_other_names_are_ignored_with_the_reason(tree, name: str, reason: str) -> None:
    scan = Tess().scan(tree(name))
    assert scan.clips == ()
    assert reason in scan.ignored[0].reason


def test_the_real_corpus_has_100_words_of_two_speakers_in_seven_emotions(real_corpora) -> None:
    if not (real_corpora / "tess").is_dir():
        pytest.skip(f"no TESS under {real_corpora}")
    scan = Tess().scan(real_corpora / "tess")
    assert len(scan.clips) == len({clip.clip_id for clip in scan.clips}) == 1400
    assert {clip.speaker for clip in scan.clips} == {"tess/OAF", "tess/YAF"}
    assert len({clip.sentence for clip in scan.clips}) == 100
    assert {sum(c.emotion is e for c in scan.clips) for e in {c.emotion for c in scan.clips}} == {200}
    assert {clip.clip_id: clip.note for clip in scan.clips if clip.note} == {
        "tess/OAF_bite_neutral": "speaker written OA_, read as OAF"
    }
    assert scan.ignored == ()
