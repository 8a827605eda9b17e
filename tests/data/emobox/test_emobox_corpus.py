"""EmoBox's metadata as a corpus, in the form in which it is published."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from data.emobox.corpus import emotion_of
from data.locate import locate
from data.scanning import scan_corpus
from schemas.clip import Scan
from schemas.errors import CorpusError, CorpusNotFoundError, UsageError
from schemas.labels import Gender
from tests.data.emobox.lists import RAVDESS_MAP, Listed, take_turns, write_metadata

Tree = Callable[..., Path]

IN_RAVDESS = "audio/Audio_Speech_Actors_01-24"


def scan(request: str, root: Path) -> Scan:
    ((corpus, path),) = locate(request, root).found
    return scan_corpus(corpus, path)


def ravdess(actor: str, emotion: str = "05", label: str = "Angry") -> Listed:
    key = f"03-01-{emotion}-01-01-01-{actor}"
    return key, f"{IN_RAVDESS}/Actor_{actor}/{key}.wav", label


RAVDESS = take_turns(
    [[ravdess("11"), ravdess("20", "06", "Fearful")], [ravdess("04"), ravdess("10", "08", "Surprised")]]
)


@pytest.fixture
def emobox(tmp_path: Path) -> Path:
    """A checkout of EmoBox with metadata of RAVDESS and, in ``downloads``, its recordings."""
    root = tmp_path / "EmoBox"
    write_metadata(root / "data" / "ravdess", RAVDESS, RAVDESS_MAP)
    for _, path, _ in RAVDESS[0]["train"] + RAVDESS[0]["test"]:
        file = root / "downloads" / "ravdess" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def test_a_known_corpus_keeps_its_own_clips_and_gets_emobox_s_folds(emobox: Path, tmp_path: Path) -> None:
    listed = scan(f"ravdess={emobox}/data/ravdess", tmp_path)
    plain = scan(f"ravdess={emobox}/downloads/ravdess", tmp_path)
    assert listed.root == emobox / "downloads" / "ravdess"
    facts = [
        [
            (c.clip_id, c.path, c.speaker, c.gender, c.emotion, c.intensity, c.sentence, c.repetition)
            for c in one.clips
        ]
        for one in (listed, plain)
    ]
    assert facts[0] == facts[1]
    assert {clip.speaker: clip.split for clip in listed.clips} == {
        "ravdess/04": "fold_2",
        "ravdess/10": "fold_2",
        "ravdess/11": "fold_1",
        "ravdess/20": "fold_1",
    }
    assert {clip.split for clip in plain.clips} == {""}
    assert listed.notices == ()


def test_a_name_of_one_s_own_is_in_ids_and_speakers(emobox: Path, tmp_path: Path) -> None:
    clip = scan(f"actors={emobox}/data/ravdess", tmp_path).clips[0]
    assert (clip.clip_id, clip.dataset, clip.speaker) == (
        *("actors/03-01-05-01-01-01-04", "actors", "actors/04"),
    )


@pytest.mark.parametrize("place", ["ravdess", "RAVDESS Emotional speech audio"])
def test_recordings_are_found_under_the_corpora_root_in_other_folders(
    tree: Tree, tmp_path: Path, place: str
) -> None:
    metadata = write_metadata(tmp_path / "lists" / "ravdess", RAVDESS, RAVDESS_MAP)
    root = tree(*(f"{place}/Actor_{n}/{ravdess(n)[0]}.flac" for n in ("04", "11")))
    found = scan(f"ravdess={metadata}", root)
    assert [clip.path for clip in found.clips] == [
        "Actor_04/03-01-05-01-01-01-04.flac",
        "Actor_11/03-01-05-01-01-01-11.flac",
    ]
    assert found.notices == ("2 of 4 recordings in EmoBox's lists are not used",)
    assert {entry.reason for entry in found.ignored} == {"there is no such file"}


def test_recordings_may_be_beside_the_lists(tree: Tree, tmp_path: Path) -> None:
    root = tree(*(f"{ravdess(n)[0]}.wav" for n in ("04", "11")))
    write_metadata(root, RAVDESS, RAVDESS_MAP, "ravdess")
    assert len(scan(f"ravdess={root}", tmp_path).clips) == 2


def test_names_that_a_corpus_corrects_are_found_by_its_rules(tree: Tree, tmp_path: Path) -> None:
    listed = [[("DC-a01", "DC_a01.wav", "a")], [("JE-n07", "JE_n07.wav", "n")]]
    metadata = write_metadata(
        tmp_path / "lists" / "savee", take_turns(listed), {"a": "Angry", "n": "Neutral"}
    )
    found = scan(f"savee={metadata}", tree("AudioData/DC/a01.wav", "AudioData/JE/n07.wav"))
    assert [(clip.path, clip.speaker, clip.split, clip.emotion) for clip in found.clips] == [
        ("DC/a01.wav", "savee/DC", "fold_1", "angry"),
        ("JE/n07.wav", "savee/JE", "fold_2", "neutral"),
    ]


def test_the_map_merges_labels_whatever_their_case(tree: Tree, tmp_path: Path) -> None:
    """EmoBox writes ``neutral`` in the lists of EMO-DB and ``Neutral`` in its map."""
    names = {"03a01Nc": "neutral", "03a01Lc": "boredem", "03a01Wa": "anger"}
    listed = [[(name, f"wav/{name}.wav", label)] for name, label in names.items()]
    words = {"anger": "Angry", "boredem": "Boredom", "Neutral": "Neutral"}
    metadata = write_metadata(tmp_path / "lists" / "emodb", take_turns(listed), words)
    found = scan(f"emodb={metadata}", tree(*(f"emodb/wav/{name}.wav" for name in names)))
    assert {clip.label: clip.emotion for clip in found.clips} == {
        "neutral": "neutral",
        "boredem": "bored",
        "anger": "angry",
    }


@pytest.mark.parametrize(
    ("word", "emotion"),
    [
        ("Boredom", "bored"),
        ("Enthusiastic", "enthusiastic"),
        ("pain, groan", "pain"),
        ("disappointment, disapproval", "disappointment"),
        ("No-agreement", None),
        ("UnKnown", None),
        ("", None),
    ],
)
def test_words_of_emobox_s_maps(word: str, emotion: str | None) -> None:
    assert emotion_of("X", {"x": word}) == emotion
    assert emotion_of("absent", {"x": word}) is None


def test_without_rules_for_the_corpus_nobody_is_known(tree: Tree, tmp_path: Path) -> None:
    parts = {
        "train": [("1_1", "modality_speech/A_1_1.wav", "Neutral")],
        "valid": [("2_1", "modality_speech/A_2_1.wav", "Anger")],
        "test": [("3_1", "modality_speech/B_3_1.wav", "odd"), ("3_2", "modality_speech/B_3_2.wav", "Anger")],
    }
    words = {"Neutral": "Neutral", "Anger": "Angry"}
    metadata = write_metadata(tmp_path / "lists" / "m3ed", [parts], words)
    root = tree(*(f"m3ed/{path}" for part in parts.values() for _, path, _ in part))
    found = scan(f"m3ed={metadata}", root)
    assert [(clip.clip_id, clip.speaker, clip.gender, clip.emotion, clip.split) for clip in found.clips] == [
        ("m3ed/1_1", "m3ed/unknown", Gender.UNKNOWN, "neutral", "train"),
        ("m3ed/2_1", "m3ed/unknown", Gender.UNKNOWN, "angry", "validation"),
        ("m3ed/3_2", "m3ed/unknown", Gender.UNKNOWN, "angry", "fold_1"),
    ]
    assert [entry.reason for entry in found.ignored] == ["label_map.json has no emotion for 'odd'"]
    assert "speaker of 3 of 3 clips of 'm3ed' is not known" in found.notices[0]


def test_a_path_that_names_two_files_is_ignored_and_a_longer_end_tells_them_apart(
    tree: Tree, tmp_path: Path
) -> None:
    listed = [
        [("dev", "dev/dia0_utt0.wav", "x")],
        [("test", "test/dia0_utt0.wav", "x")],
        [("c", "c.wav", "x")],
    ]
    metadata = write_metadata(tmp_path / "lists" / "tv", take_turns(listed), {"x": "happy"})
    root = tree("tv/Dev/dia0_utt0.wav", "tv/train/dia0_utt0.wav", "tv/a/c.wav", "tv/b/c.wav")
    found = scan(f"tv={metadata}", root)
    assert [(clip.clip_id, clip.path) for clip in found.clips] == [("tv/dev", "Dev/dia0_utt0.wav")]
    assert {entry.path: entry.reason for entry in found.ignored} == {
        "downloads/tv/c.wav": "may be a/c.wav or b/c.wav; remove one of them",
        "downloads/tv/test/dia0_utt0.wav": "there is no such file",
    }


def test_recordings_that_are_not_read_are_told_how_to_convert(tree: Tree, tmp_path: Path) -> None:
    listed = [[("a", "W019/001.m4a", "x")], [("b", "W019/002.m4a", "x")]]
    metadata = write_metadata(tmp_path / "lists" / "face", take_turns(listed), {"x": "happy"})
    found = scan(f"face={metadata}", tree("face/W019/001.wav", "face/W019/002.m4a"))
    assert [clip.path for clip in found.clips] == ["W019/001.wav"]
    (other,) = found.ignored
    assert other.path == "W019/002.m4a"
    assert "ffmpeg" in other.reason


def _break(metadata: Path, what: str) -> None:
    one = metadata / "fold_1" / "ravdess_test_fold_1.jsonl"
    lines = one.read_text().splitlines()
    match what:
        case "no map":
            (metadata / "label_map.json").unlink()
        case "bad map":
            (metadata / "label_map.json").write_text("[]")
        case "no train":
            (metadata / "fold_2" / "ravdess_train_fold_2.jsonl").unlink()
        case "two corpora":
            one.rename(one.with_name("tess_test_fold_1.jsonl"))
        case "no field":
            one.write_text("".join(f"{line.replace('emo', 'label')}\n" for line in lines))
        case "two labels":
            one.write_text("".join(f"{line.replace('Angry', 'Sad')}\n" for line in lines))
        case "tested twice":
            other = metadata / "fold_2" / "ravdess_test_fold_2.jsonl"
            other.write_text(other.read_text() + lines[0] + "\n")
            train = metadata / "fold_2" / "ravdess_train_fold_2.jsonl"
            train.write_text(train.read_text().replace(lines[0] + "\n", ""))
        case "in both":
            one.write_text(one.read_text() + (metadata / "fold_1/ravdess_train_fold_1.jsonl").read_text())
        case "cut":
            cut = {**json.loads(lines[0]), "start_time": 0.5}
            one.write_text(json.dumps(cut) + "\n")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no map", "cannot read '.*label_map.json'"),
        ("bad map", "label_map.json' is not a JSON object"),
        ("no train", "lacks the list fold_2/ravdess_train_fold_2.jsonl"),
        ("two corpora", "has lists of ravdess and tess"),
        ("no field", "has no field 'emo', only key, dataset, wav"),
        ("two labels", "gives ravdess-03-01-05-01-01-01-11 the emotion 'Angry'.* earlier line 'Sad'"),
        ("tested twice", "tests ravdess-03-01-05-01-01-01-11 in fold_1 and in fold_2"),
        ("in both", "lists ravdess-.*, which is also in the test list of fold_1|also in the train list"),
        ("cut", "cuts recordings by its field 'start_time'"),
    ],
)
def test_unusable_metadata_is_refused_in_one_sentence(emobox: Path, what: str, message: str) -> None:
    metadata = emobox / "data" / "ravdess"
    _break(metadata, what)
    with pytest.raises(CorpusError, match=message) as error:
        locate(f"ravdess={metadata}", emobox)
    assert "\n" not in str(error.value)


def test_a_fold_that_leaves_out_recordings_is_reported(emobox: Path, tmp_path: Path) -> None:
    train = emobox / "data" / "ravdess" / "fold_2" / "ravdess_train_fold_2.jsonl"
    train.write_text(train.read_text().splitlines()[0] + "\n")
    (notice,) = scan(f"ravdess={emobox}/data/ravdess", tmp_path).notices
    assert "fold_2 of EmoBox lists neither for training nor for the test 1 recording that" in notice


def test_a_name_of_another_corpus_and_columns_are_refused(emobox: Path) -> None:
    with pytest.raises(UsageError, match="'tess' is another corpus than the ravdess of"):
        locate(f"tess={emobox}/data/ravdess", emobox)
    with pytest.raises(UsageError, match="cannot be named 'Two words'"):
        locate(f"Two words={emobox}/data/ravdess", emobox)
    with pytest.raises(UsageError, match="emotion names a column"):
        locate(f"ravdess={emobox}/data/ravdess:emotion=emo", emobox)


def test_missing_recordings_are_told_where_they_were_looked_for(tree: Tree, tmp_path: Path) -> None:
    metadata = write_metadata(tmp_path / "EmoBox" / "data" / "ravdess", RAVDESS, RAVDESS_MAP)
    with pytest.raises(
        CorpusNotFoundError, match=r"neither in '.*data/ravdess' nor in '.*downloads/ravdess'"
    ):
        locate(f"ravdess={metadata}", tmp_path)
    root = tree("ravdess/other.wav")
    with pytest.raises(CorpusNotFoundError, match=r"none of the 4 recordings in .* can be used"):
        scan(f"ravdess={metadata}", root)
