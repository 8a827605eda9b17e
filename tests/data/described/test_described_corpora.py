"""Corpora that a description defines, each on file names of its published form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from data.described.corpus import DescribedCorpus
from data.described.description import (
    PublishedDescription,
    described_names,
    person_of,
    read_description,
)
from data.locate import locate
from data.recognise import recognise
from data.registry import CORPORA, is_acted
from schemas.clip import Clip, Ignored
from schemas.errors import CorpusError

Tree = Callable[..., Path]

CLIPS = {
    # corpus: path below its folder → clip id, speaker, gender, emotion, sentence
    "nemo": ("samples/SB0_anger_10.wav", "SB0_anger_10", "sb0", "unknown", "angry", "10"),
    "emovo": ("f1/rab-f1-b1.wav", "rab-f1-b1", "f1", "female", "angry", "b1"),
    "shemo": ("female/F03S02.wav", "F03S02", "f03", "female", "sad", ""),
    "aesdd": ("anger/a06 (5)b.wav", "a06 (5)b", "5", "unknown", "angry", "06"),
    "subesco": ("F_10_FAHMEE_S_6_FEAR_5.wav", "F_10_FAHMEE_S_6_FEAR_5", "f_10", "female", "fearful", "6"),
    "mesd": ("Anger_M_A_basta_ya.wav", "Anger_M_A_basta_ya", "m", "male", "angry", "basta_ya"),
    "jl": ("JL(wav+txt)/male2_concerned_6b_1.wav", "male2_concerned_6b_1", "male2", "male", "concerned", "6"),
    "esd": ("0011/Surprise/evaluation/0011_001401.wav", "0011_001401", "0011", "unknown", "surprised", ""),
    "cafe": ("Colère/Fort/02-C-2-3.wav", "02-C-2-3", "02", "female", "angry", "3"),
    "emovdb": (
        *("jenie_Amused/amused_57-84_0057.wav", "jenie_Amused/amused_57-84_0057"),
        *("jenie", "female", "amused", "0057"),
    ),
    "oreau": ("m/sessj/40a06Ja.wav", "40a06Ja", "40", "male", "happy", "a06"),
    "urdu": ("Angry/SM1_F10_A010.wav", "SM1_F10_A010", "sm1", "male", "angry", ""),
    "turevdb": ("Sound Source/Calm/1984_sk_eger.wav", "1984_sk_eger", "1984", "unknown", "calm", "eger"),
    "ased": ("05Angry/a5-02-01-02-33.wav", "a5-02-01-02-33", "33", "male", "angry", "a5-02"),
    "baved": ("remake/3/0-m-21-0-2-105.wav", "0-m-21-0-2-105", "0", "male", "high", "0"),
    "asvpesd": (
        *("Audio/actor_36/03-01-09-02-06-36-02-02-01-39.wav", "03-01-09-02-06-36-02-02-01-39"),
        *("36", "male", "excited", ""),
    ),
    "mead": (
        *("W019/audio/angry/level_2/020.wav", "W019/audio/angry/level_2/020"),
        *("w019", "female", "angry", ""),
    ),
    "ravdess-song": (
        *("Actor_12/03-02-05-02-01-02-12.wav", "03-02-05-02-01-02-12"),
        *("12", "female", "angry", "Kids are talking by the door"),
    ),
}


LISTED = {"iemocap", "mspimprov", "meld", "emns"}
"""Corpora whose emotions are in lists."""


def test_every_description_has_its_example() -> None:
    assert set(CLIPS) | LISTED == set(described_names())


MELD = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
)


def test_meld_is_read_from_its_three_tables(tree: Tree) -> None:
    """The same names are in all folders, and mp4 files cannot be read."""
    root = tree(
        "meld/MELD.Raw/train/train_splits/dia0_utt0.wav",
        "meld/MELD.Raw/train/train_splits/dia0_utt1.mp4",
        "meld/MELD.Raw/dev/dev_splits_complete/dia0_utt0.flac",
        "meld/MELD.Raw/test/output_repeated_splits_test/dia0_utt0.wav",
        "meld/MELD.Raw/test/output_repeated_splits_test/dia7_utt7.wav",
        "meld/MELD.Raw/test/output_repeated_splits_test/final_videos_testdia0_utt1.wav",
    )
    rows = {
        "train/train": '1,"also I was, the point person",Chandler,neutral,neutral,0,0,8,21,"00:16:16,059",b',
        "dev": '1,"Oh my God, he’s lost it.",Phoebe,sadness,negative,0,0,4,7,"00:20:57,256","00:21:00,049"',
        "test": "1,Why do all you’re coffee mugs have numbers?,Rachel,surprise,positive,0,0,3,19,a,b",
    }
    for name, row in rows.items():
        (root / "meld" / "MELD.Raw" / f"{name}_sent_emo.csv").write_text(MELD + row + "\n", "utf-8")
    ((corpus, found),) = locate("meld", root).found
    scan = corpus.scan(found)
    assert [(c.clip_id, c.speaker, c.emotion, c.label, c.split) for c in scan.clips] == [
        ("meld/train_splits/dia0_utt0", "meld/Chandler", "neutral", "neutral", "train"),
        ("meld/dev_splits_complete/dia0_utt0", "meld/Phoebe", "sad", "sadness", "dev"),
        ("meld/output_repeated_splits_test/dia0_utt0", "meld/Rachel", "surprised", "surprise", "test"),
    ]
    assert scan.clips[0].sentence == "also I was, the point person"
    reasons = {entry.path.rpartition("/")[2]: entry.reason for entry in scan.ignored}
    assert reasons["dia0_utt1.mp4"].endswith("convert it to WAV: ffmpeg -i dia0_utt1.mp4 dia0_utt1.wav")
    assert reasons["dev_sent_emo.csv"] == "says which clip has which emotion"
    assert "no list of the corpus gives" in reasons["dia7_utt7.wav"]
    assert "not named like a clip of meld" in reasons["final_videos_testdia0_utt1.wav"]


def test_emns_is_read_from_its_table_of_bars(tree: Tree) -> None:
    root = tree(
        "emns/cleaned_webm/recorded_audio_RF6OuQ4.wav", "emns/cleaned_webm/recorded_audio_KkeDrQa.wav"
    )
    (root / "emns" / "metadata.csv").write_text(
        "id|utterance|description|user_id|age|gender|emotion|level|audio_recording|status\n"
        "1|He said, no; I won't|calm|3|20s|Female|Surprised|6|wavs/recorded_audio_RF6OuQ4.webm|Complete\n"
        "2|Well|dry|3|20s|Female|Sarcastic|2|wavs/recorded_audio_KkeDrQa.webm|Complete\n"
    )
    ((corpus, found),) = locate("emns", root).found
    scan = corpus.scan(found)
    assert [(c.clip_id, c.speaker, c.gender, c.emotion, c.sentence, c.intensity) for c in scan.clips] == [
        ("emns/recorded_audio_KkeDrQa", "emns/imz", "female", "sarcastic", "Well", "2"),
        ("emns/recorded_audio_RF6OuQ4", "emns/imz", "female", "surprised", "He said, no; I won't", "6"),
    ]


def test_a_table_without_a_column_and_rows_that_contradict_each_other_are_refused(tree: Tree) -> None:
    root = tree("meld/train_splits/dia0_utt0.wav")
    table = root / "meld" / "train_sent_emo.csv"
    table.write_text("Utterance,Emotion,Dialogue_ID,Utterance_ID\nHi,joy,0,0\n")
    ((corpus, found),) = locate("meld", root).found
    with pytest.raises(CorpusError, match="has no column 'Speaker', only Utterance, Emotion"):
        corpus.scan(found)
    rows = "Speaker,Utterance,Emotion,Dialogue_ID,Utterance_ID\nRoss,Hi,joy,0,0\nRoss,Hi,anger,0,0\n"
    table.write_text(rows)
    with pytest.raises(
        CorpusError, match="gives train_splits/dia0_utt0 the emotion anger, but an earlier line"
    ):
        corpus.scan(found)


def test_the_singers_of_ravdess_are_its_speakers() -> None:
    assert person_of("ravdess-song/01") == person_of("ravdess/01") == "ravdess/01"
    assert [person_of(speaker) for speaker in ("tess/OAF", "mine/01", "odd")] == [
        "tess/OAF",
        "mine/01",
        "odd",
    ]
    known = CORPORA["ravdess"].folder_names
    assert not set(known) & set(CORPORA["ravdess-song"].folder_names)


def test_iemocap_is_read_from_its_sessions_and_evaluation_files(tree: Tree) -> None:
    wav = "iemocap/IEMOCAP_full_release/Session2/sentences/wav/Ses02M_impro01"
    lists = "iemocap/IEMOCAP_full_release/Session2/dialog/EmoEvaluation"
    root = tree(
        *(f"{wav}/Ses02M_impro01_{turn}.wav" for turn in ("F000", "M001", "M002", "M003")),
        f"{lists}/Categorical/Ses02M_impro01_e2_cat.txt",
    )
    (root / lists / "Ses02M_impro01.txt").write_text(
        "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        "[6.2901 - 8.2357]\tSes02M_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"
        "C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n\n"
        "[10.0100 - 11.3925]\tSes02M_impro01_M001\tfru\t[1.5000, 3.5000, 3.5000]\n"
        "[14.8872 - 18.0175]\tSes02M_impro01_M002\txxx\t[2.5000, 2.5000, 2.5000]\n"
    )
    ((corpus, found),) = locate("iemocap", root).found
    scan = corpus.scan(found)
    assert [(c.clip_id, c.speaker, c.gender, c.emotion, c.label) for c in scan.clips] == [
        ("iemocap/Ses02M_impro01_F000", "iemocap/ses02_f", "female", "neutral", "neu"),
        ("iemocap/Ses02M_impro01_M001", "iemocap/ses02_m", "male", "frustrated", "fru"),
    ]
    assert [(c.session, c.valence, c.arousal, c.dominance) for c in scan.clips] == [
        ("2", 2.5, 2.5, 2.5),
        ("2", 1.5, 3.5, 3.5),
    ]
    reasons = {item.path.rpartition("/")[2]: item.reason for item in scan.ignored}
    assert reasons["Ses02M_impro01_M002.wav"] == "emotion xxx: the raters do not agree on one"
    assert reasons["Ses02M_impro01_M003.wav"] == "no list of the corpus gives Ses02M_impro01_M003 an emotion"
    assert reasons["Ses02M_impro01.txt"] == "says which clip has which emotion"


def test_msp_improv_is_read_with_its_evaluation(tree: Tree) -> None:
    root = tree("mspimprov/session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav")
    (root / "mspimprov" / "Evaluation.txt").write_text(
        "UTD-IMPROV-S01A-F01-P-FM01.avi; H; A:2.4; V:3.8; D:3.2 ; N:4.2;\n ExTurk1; Happy; Happy;; \n"
    )
    ((corpus, found),) = locate("mspimprov", root).found
    (clip,) = corpus.scan(found).clips
    assert (clip.clip_id, clip.speaker, clip.gender, clip.emotion) == (
        *("mspimprov/S01A-F01-P-FM01", "mspimprov/f01", "female", "happy"),
    )
    assert (clip.session, clip.valence, clip.arousal, clip.dominance) == ("01", 3.8, 2.4, 3.2)


def test_lists_that_contradict_each_other_are_refused(tree: Tree) -> None:
    root = tree("mspimprov/MSP-IMPROV-S01A-F01-P-FM01.wav")
    line = "UTD-IMPROV-S01A-F01-P-FM01.avi; {}; A:2.4;\n"
    (root / "mspimprov" / "Evaluation.txt").write_text(line.format("H") + line.format("S"))
    ((corpus, found),) = locate("mspimprov", root).found
    with pytest.raises(CorpusError, match=r"the emotion S, but an earlier line H"):
        corpus.scan(found)


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_is_read_from_its_path_wherever_the_corpus_lies(tree: Tree, name: str) -> None:
    path, clip_id, speaker, gender, emotion, sentence = CLIPS[name]
    folder = read_description(name).folder_names[0]
    root = tree(f"{folder}/copy/{path}", f"{folder}/{path.rpartition('/')[0] or '.'}/notes.txt")
    ((corpus, found),) = locate(name, root).found
    scan = corpus.scan(found)
    (clip,) = scan.clips
    assert (clip.clip_id, clip.path) == (f"{name}/{clip_id}", f"copy/{path}")
    assert (clip.speaker, clip.gender, clip.emotion) == (f"{name}/{speaker}", gender, emotion)
    assert clip.sentence == sentence
    assert clip.label.lower() in read_description(name).emotions


@pytest.mark.parametrize("name", CLIPS)
def test_other_names_are_ignored_with_the_reason(name: str) -> None:
    corpus = DescribedCorpus(name)
    stray = corpus.clip_of("x/recording 7.wav")
    assert isinstance(stray, Ignored)
    assert stray.reason == f"not named like a clip of {name} ({read_description(name).example})"


def test_an_unknown_emotion_is_named() -> None:
    found = DescribedCorpus("emovo").clip_of("xyz-f1-b1.wav")
    assert found == Ignored("xyz-f1-b1.wav", "emotion xyz is none of dis, gio, neu, pau, rab, sor, tri")


@pytest.mark.parametrize("name", sorted(set(CLIPS) - {"nemo", "turevdb", "esd", "mead"}))
def test_a_folder_is_recognised_by_its_files(tree: Tree, name: str) -> None:
    path = CLIPS[name][0]
    root = tree(f"some folder/{path}")
    while not any(entry.suffix for entry in root.iterdir()):
        (root,) = root.iterdir()
    assert recognise(root) == name


def test_intensity_and_repetition_are_read() -> None:
    cafe = DescribedCorpus("cafe").clip_of("02-C-2-3.wav")
    subesco = DescribedCorpus("subesco").clip_of(CLIPS["subesco"][0])
    assert isinstance(cafe, Clip)
    assert isinstance(subesco, Clip)
    assert (cafe.intensity, subesco.repetition) == ("strong", 5)


def test_sounds_that_are_not_speech_are_no_clips_of_asvp_esd() -> None:
    assert isinstance(DescribedCorpus("asvpesd").clip_of("03-02-09-02-06-36-02-02-01.wav"), Ignored)


def test_corpora_of_talk_shows_are_not_called_acted() -> None:
    assert is_acted("emovo")
    assert not is_acted("urdu")
    assert not is_acted("my own")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"pattern": "(?P<emotion>a)"}, "no group speaker"),
        ({"pattern": "(?P<emotion>a)(?P<speaker>b)(?P<colour>c)"}, "unknown group colour"),
        ({"example": "nothing"}, "does not match the example"),
        ({"emotions": {"a": "Angry!"}}, "cannot name an emotion"),
    ],
)
def test_a_faulty_description_is_refused(change: dict[str, object], problem: str) -> None:
    values = read_description("emovo").model_dump() | change
    with pytest.raises(ValidationError, match=problem):
        PublishedDescription.model_validate(values)
