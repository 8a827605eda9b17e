import csv

import pytest

from data.cremad import CremaD, read_genders
from schemas.errors import CorpusError
from schemas.labels import Emotion, Gender

TABLE = (
    '"ActorID","Age","Sex","Race","Ethnicity"\n'
    '1001,51,"Male","Caucasian","x"\n'
    '1002,21,"Female","Caucasian","x"\n'
)


def test_every_field_of_a_name_is_read(tree) -> None:
    (clip,) = CremaD().scan(tree("AudioWAV/1002_DFA_ANG_HI.wav")).clips
    assert (clip.clip_id, clip.speaker) == ("cremad/1002_DFA_ANG_HI", "cremad/1002")
    assert (clip.emotion, clip.label) == (Emotion.ANGRY, "anger")
    assert (clip.intensity, clip.sentence) == ("high", "Don't forget a jacket")


def test_levels_are_spelt_out(tree) -> None:
    scan = CremaD().scan(tree(*(f"1001_IEO_SAD_{level}.wav" for level in ("LO", "MD", "HI", "XX"))))
    assert [c.intensity for c in scan.clips] == ["high", "low", "medium", "unspecified"]


@pytest.mark.parametrize("place", ["VideoDemographics.csv", "docs/videodemographics.CSV"])
def test_gender_comes_from_the_table_in_the_tree(tree, place: str) -> None:
    root = tree("AudioWAV/1001_IEO_NEU_XX.wav", "AudioWAV/1002_IEO_NEU_XX.wav", place)
    (root / place).write_text(TABLE)
    scan = CremaD().scan(root)
    assert [c.gender for c in scan.clips] == [Gender.MALE, Gender.FEMALE]
    assert scan.notices == ()
    assert "speaker table" in scan.ignored[0].reason


def test_gender_comes_from_the_table_beside_audiowav(tree) -> None:
    root = tree("AudioWAV/1002_IEO_NEU_XX.wav", "VideoDemographics.csv")
    (root / "VideoDemographics.csv").write_text(TABLE)
    assert [c.gender for c in CremaD().scan(root / "AudioWAV").clips] == [Gender.FEMALE]


def test_without_the_table_gender_is_unknown_and_the_notice_says_what_to_fetch(tree) -> None:
    scan = CremaD().scan(tree("1001_IEO_NEU_XX.wav"))
    assert scan.clips[0].gender is Gender.UNKNOWN
    assert len(scan.notices) == 1
    assert "VideoDemographics.csv" in scan.notices[0]
    assert "https://github.com/CheyneyComputerScience/CREMA-D" in scan.notices[0]


def test_an_actor_that_the_table_lacks_is_named_in_a_notice(tree) -> None:
    root = tree("1001_IEO_NEU_XX.wav", "1003_IEO_NEU_XX.wav", "VideoDemographics.csv")
    (root / "VideoDemographics.csv").write_text(TABLE)
    scan = CremaD().scan(root)
    assert [c.gender for c in scan.clips] == [Gender.MALE, Gender.UNKNOWN]
    assert "cremad/1003" in scan.notices[0]


@pytest.mark.parametrize("text", ["", "Actor,Sex\n1001,Male\n", "ActorID,Sex\n1001,51\n", "\xff"])
def test_an_unusable_table_is_refused_by_name(tree, text: str) -> None:
    root = tree("1001_IEO_NEU_XX.wav", "VideoDemographics.csv")
    (root / "VideoDemographics.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(CorpusError, match=r"VideoDemographics\.csv"):
        CremaD().scan(root)


def test_the_irregular_level_is_read_as_unspecified_and_noted(tree) -> None:
    (clip,) = CremaD().scan(tree("1040_ITH_SAD_X.wav")).clips
    assert (clip.clip_id, clip.intensity) == ("cremad/1040_ITH_SAD_XX", "unspecified")
    assert clip.note == "level written X, read as XX"


def test_the_silent_clip_of_the_release_is_noted(tree) -> None:
    quiet, other = CremaD().scan(tree("1076_MTI_SAD_XX.wav", "1076_MTI_NEU_XX.wav")).clips[::-1]
    assert "silent" in quiet.note
    assert other.note == ""


def test_wav_is_kept_where_mp3_copies_lie_beside(tree) -> None:
    scan = CremaD().scan(tree("AudioMP3/1001_IEO_NEU_XX.mp3", "AudioWAV/1001_IEO_NEU_XX.wav"))
    assert [c.path for c in scan.clips] == ["AudioWAV/1001_IEO_NEU_XX.wav"]
    assert scan.ignored[0].reason == "same clip as AudioWAV/1001_IEO_NEU_XX.wav"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("1000_IEO_NEU_XX.wav", "actor 1000"),
        ("1092_IEO_NEU_XX.wav", "actor 1092"),
        ("1001_ABC_NEU_XX.wav", "sentence ABC"),
        ("1001_IEO_SUR_XX.wav", "emotion SUR"),
        ("1001_IEO_NEU_ZZ.wav", "level ZZ"),
        ("1001_IEO_NEU.wav", "not named like"),
        ("VideoFlash/1001_IEO_NEU_XX.flv", "video"),
    ],
)
def test_other_names_are_ignored_with_the_reason(tree, name: str, reason: str) -> None:
    scan = CremaD().scan(tree(name))
    assert scan.clips == ()
    assert reason in scan.ignored[0].reason


def test_the_published_list_of_names_gives_the_complete_corpus(tree, real_corpora) -> None:
    tables = real_corpora / "crema-d"
    if not (tables / "SentenceFilenames.csv").is_file():
        pytest.skip(f"no CREMA-D tables under {tables}")
    with (tables / "SentenceFilenames.csv").open(newline="") as lines:
        names = [row["Filename"] for row in csv.DictReader(lines)]
    root = tree(*(f"AudioWAV/{name}.wav" for name in names), "VideoDemographics.csv")
    (root / "VideoDemographics.csv").write_bytes((tables / "VideoDemographics.csv").read_bytes())
    scan = CremaD().scan(root)
    genders = {clip.speaker: clip.gender for clip in scan.clips}
    assert len(scan.clips) == 7442 == CremaD().expected_clips
    assert sorted(genders.values()) == [Gender.FEMALE] * 43 + [Gender.MALE] * 48
    assert scan.notices == ()
    assert len(read_genders(root / "VideoDemographics.csv")) == 91
