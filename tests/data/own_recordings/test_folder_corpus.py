import unicodedata
from pathlib import Path

import pytest

from data.own_recordings.folder import FolderCorpus
from schemas.clip import Scan
from schemas.errors import CorpusError, UsageError
from schemas.labels import Emotion, Gender


def scan(root: Path, toml: str = "", name: str | None = "mine") -> Scan:
    if toml:
        (root / "corpus.toml").write_text(toml)
    return FolderCorpus.open(root, name).scan(root)


@pytest.mark.parametrize(
    ("folder", "emotion"),
    [
        ("Anger", Emotion.ANGRY),
        ("ANG", Emotion.ANGRY),
        ("happiness", Emotion.HAPPY),
        ("Joy", Emotion.HAPPY),
        ("05_sadness", Emotion.SAD),
        ("Pleasant Surprise", Emotion.SURPRISED),
        ("ps", Emotion.SURPRISED),
        ("anxiety", Emotion.FEARFUL),
        ("Disgusted", Emotion.DISGUST),
        ("Neutral", Emotion.NEUTRAL),
        ("boredom", Emotion.BORED),
        ("calm", Emotion.CALM),
    ],
)
def test_common_words_name_an_emotion(tree, folder: str, emotion: Emotion) -> None:
    (clip,) = scan(tree(f"{folder}/a.wav")).clips
    assert (clip.emotion, clip.label) == (emotion, folder)
    assert clip.clip_id == f"mine/{folder}/a"


def test_folders_that_name_no_emotion_are_ignored_with_the_reason(tree) -> None:
    result = scan(tree("music/a.wav", "b.wav", "happy/c.wav"))
    assert [clip.path for clip in result.clips] == ["happy/c.wav"]
    assert {item.path for item in result.ignored} == {"music/a.wav", "b.wav"}
    assert all("emotion" in item.reason for item in result.ignored)


def test_equal_stems_in_two_emotions_are_two_clips(tree) -> None:
    assert [c.clip_id for c in scan(tree("happy/1.wav", "sad/1.wav")).clips] == ["mine/happy/1", "mine/sad/1"]


def test_flac_beside_wav_is_one_clip(tree) -> None:
    result = scan(tree("happy/1.wav", "happy/1.flac"))
    assert len(result.clips) == 1
    assert result.ignored[0].reason == "same clip as happy/1.flac"


def test_files_that_differ_in_case_are_one_clip_only_if_they_are_equal(tree) -> None:
    root = tree("happy/1.wav", "happy/1.WAV", "happy/2.opus", "happy/2.Opus")
    (root / "happy" / "1.wav").write_bytes(b"one sound")
    (root / "happy" / "1.WAV").write_bytes(b"two sound")
    result = scan(root)
    assert [clip.path for clip in result.clips] == ["happy/1.WAV", "happy/2.Opus"]
    reasons = {item.path: item.reason for item in result.ignored}
    assert reasons["happy/1.wav"].startswith("other audio under the name of happy/1.WAV")
    assert "rename" in reasons["happy/1.wav"]
    assert reasons["happy/2.opus"] == "same clip as happy/2.Opus"


@pytest.mark.parametrize(
    ("files", "notice"),
    [
        (("happy/1.m4a", "notes.txt"), "happy/1.m4a: MPEG-4 sound (AAC or ALAC), which is not read"),
        (("happy.zip",), "unpack them"),
        (("notes.txt",), "contains no audio files (WAV, FLAC"),
    ],
)
def test_a_folder_without_audio_says_what_it_holds(tree, files: tuple[str, ...], notice: str) -> None:
    assert notice in scan(tree(*files)).notices[0]


def test_sound_that_is_not_read_is_ignored_with_the_command_that_converts_it(tree) -> None:
    result = scan(tree("happy/1.wav", "happy/a memo.M4A", "happy/2.amr", "film.mp4", "notes.txt"))
    reasons = {item.path: item.reason for item in result.ignored}
    assert reasons["happy/a memo.M4A"].endswith("ffmpeg -i 'a memo.M4A' 'a memo.wav'")
    assert reasons["happy/2.amr"].endswith("ffmpeg -i 2.amr 2.wav")
    assert reasons["film.mp4"].endswith("ffmpeg -i film.mp4 film.wav")
    assert reasons["notes.txt"] == "not an audio file"


def test_the_inner_of_two_emotion_folders_is_taken_with_a_note(tree) -> None:
    (clip,) = scan(tree("happy/anna/sad/1.wav")).clips
    assert clip.emotion is Emotion.SAD
    assert "happy" in clip.note


def test_own_folder_names_come_from_the_description_and_win(tree) -> None:
    result = scan(tree("Wut/1.wav", "mad/2.wav"), '[emotions]\n"wut" = "angry"\nMad = "disgust"\n')
    assert {c.path: c.emotion for c in result.clips} == {
        "Wut/1.wav": Emotion.ANGRY,
        "mad/2.wav": Emotion.DISGUST,
    }


def test_speakers_come_from_the_pattern_and_genders_from_the_table(tree) -> None:
    toml = 'speaker = "(?P<speaker>[a-z]+)_"\n[genders]\nanna = "female"\nbob = "M"\n'
    result = scan(tree("happy/anna_1.wav", "sad/bob_1.wav"), toml)
    assert [(c.speaker, c.gender) for c in result.clips] == [
        ("mine/anna", Gender.FEMALE),
        ("mine/bob", Gender.MALE),
    ]
    assert result.notices == ()


def test_unknown_speakers_share_one_and_the_notice_tells_what_that_does(tree) -> None:
    toml = 'speaker = "(?P<speaker>anna)_"'
    result = scan(tree("happy/anna_1.wav", "sad/1.wav", "sad/2.wav"), toml)
    assert {c.speaker for c in result.clips} == {"mine/anna", "mine/unknown"}
    (notice,) = result.notices
    assert "2 of 3 clips" in notice
    assert "one side" in notice


def test_a_gender_of_nobody_is_told(tree) -> None:
    toml = 'speaker = "(?P<speaker>[a-z]+)_"\n[genders]\nana = "female"\n'
    assert "ana" in scan(tree("happy/anna_1.wav"), toml).notices[0]


@pytest.mark.parametrize(
    "rows",
    [
        "path,speaker,gender\nhappy/1.wav,anna,F\nsad/2.wav,bob,male\n",
        "stem, Speaker ,gender\n1,anna,F\n2,bob,male\n",
    ],
)
def test_speakers_come_from_a_csv_by_path_or_stem(tree, rows: str) -> None:
    root = tree("happy/1.wav", "sad/2.wav")
    (root / "who.csv").write_text(rows)
    result = scan(root, 'speakers = "who.csv"')
    assert [(c.speaker, c.gender) for c in result.clips] == [
        ("mine/anna", Gender.FEMALE),
        ("mine/bob", Gender.MALE),
    ]
    assert {i.path: i.reason for i in result.ignored} == {
        "corpus.toml": "describes the corpus",
        "who.csv": "speaker table of the corpus",
    }


def test_clips_and_rows_without_a_counterpart_are_told(tree) -> None:
    root = tree("happy/1.wav", "happy/2.wav")
    (root / "who.csv").write_text("stem,speaker\n1,anna\n9,bob\n")
    notices = scan(root, 'speakers = "who.csv"').notices
    assert "1 of 2 clips" in notices[0]
    assert "'9'" in notices[1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "columns"),
        ("file,speaker\n1,anna\n", "columns"),
        ("stem,gender\n1,f\n", "columns"),
        ("stem,speaker,gender\n1,anna,woman\n", "'woman'"),
        ("stem,speaker,gender\n1,anna,f\n2,anna,m\n", "'anna' is male"),
        ("stem,speaker\n1,anna\n1,bob\n", "'bob'"),
        ("stem,speaker\n1,\n", "line 2"),
    ],
)
def test_an_unusable_csv_is_refused_with_its_fault(tree, rows: str, message: str) -> None:
    root = tree("happy/1.wav")
    (root / "who.csv").write_text(rows)
    with pytest.raises(CorpusError, match=r"who\.csv") as caught:
        scan(root, 'speakers = "who.csv"')
    assert message in str(caught.value)


@pytest.mark.parametrize("inside", ["../who.csv", "happy/../../who.csv"])
def test_a_csv_outside_the_corpus_is_refused_though_it_is_there(tree, inside: str) -> None:
    root = tree("happy/1.wav")
    (root.parent / "who.csv").write_text("stem,speaker\n1,anna\n")
    with pytest.raises(CorpusError, match="is outside"):
        scan(root, f'speakers = "{inside}"')
    with pytest.raises(CorpusError, match="is outside"):
        scan(root, f'speakers = "{root.parent}/who.csv"')


def test_a_csv_that_is_absent_is_named(tree) -> None:
    with pytest.raises(CorpusError, match=r"absent\.csv"):
        scan(tree("happy/1.wav"), 'speakers = "absent.csv"')


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("name = ", "TOML"),
        ('colour = "red"', "colour"),
        ('speaker = "[a-z]+"', "named 'speaker'"),
        ('speaker = "("', "regular expression"),
        ('speaker = "(?P<speaker>a)"\nspeakers = "x.csv"', "not both"),
        ('[genders]\nanna = "woman"', "genders.anna"),
        ('[emotions]\nwut = "Wut!"', "emotions.wut"),
        ('[emotions]\nwut = "anger"', "'anger' is a word for angry; write angry"),
        ("speaker = 3", "speaker"),
        ("genders = 3", "genders"),
    ],
)
def test_a_malformed_description_is_refused_in_one_line(tree, toml: str, message: str) -> None:
    with pytest.raises(CorpusError) as caught:
        scan(tree("happy/1.wav"), toml)
    assert message in str(caught.value)
    assert "corpus.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_description_that_is_no_text_is_refused(tree) -> None:
    root = tree("happy/1.wav")
    (root / "corpus.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorpusError, match="UTF-8"):
        scan(root)


@pytest.mark.parametrize(
    "name", ["records", "all", "ravdess", "demo", "Mine", "-mine", "", "a" * 33, "a/b", "a b"]
)
def test_names_that_cannot_be_are_refused(tree, name: str) -> None:
    root = tree("happy/1.wav")
    with pytest.raises(UsageError):
        FolderCorpus.open(root, name)
    (root / "corpus.toml").write_text(f'name = "{name}"')
    if name:
        with pytest.raises(CorpusError, match="name"):
            FolderCorpus.open(root)


def test_the_name_is_the_one_given_then_the_described_then_the_folders(tree) -> None:
    root = tree("happy/1.wav", root="My Calls")
    assert FolderCorpus.open(root).name == "my-calls"
    (root / "corpus.toml").write_text('name = "calls"\ntitle = "Calls"\nlicence = "ours"')
    own = FolderCorpus.open(root)
    assert (own.name, own.title, own.licence) == ("calls", "Calls", "ours")
    assert FolderCorpus.open(root, "other").name == "other"


@pytest.mark.parametrize("disk", ["NFC", "NFD"])
@pytest.mark.parametrize("typed", ["NFC", "NFD"])
@pytest.mark.parametrize("way", ["table", "pattern"])
def test_names_are_compared_however_their_accents_are_written(disk, typed, way, tree) -> None:
    paths = [f"{unicodedata.normalize(disk, folder)}/zoë_1.wav" for folder in ("Wütend", "trübe")]
    root = tree(*(unicodedata.normalize(disk, path) for path in paths))
    speaker = {"table": 'speakers = "tisché.csv"', "pattern": 'speaker = "/(?P<speaker>zoë|jürgen)_"'}[way]
    toml = f'{speaker}\n[genders]\n"zoë" = "F"\n[emotions]\n"wütend" = "angry"\n"trübe" = "sad"\n'
    if way == "table":
        rows = "path,speaker\nWütend/zoë_1.wav,zoë\ntrübe/zoë_1.wav,zoë\n"
        (root / unicodedata.normalize(disk, "tisché.csv")).write_text(unicodedata.normalize(typed, rows))
    result = scan(root, unicodedata.normalize(typed, toml))
    assert {clip.emotion: clip.speaker for clip in result.clips} == {
        Emotion.ANGRY: "mine/zoë",
        Emotion.SAD: "mine/zoë",
    }
    assert {clip.gender for clip in result.clips} == {Gender.FEMALE}
    assert {clip.path for clip in result.clips} == {unicodedata.normalize(disk, path) for path in paths}
    assert result.notices == ()
    assert "not an audio file" not in {item.reason for item in result.ignored}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_a_description_is_read_however_an_editor_saved_it(encoding: str, tree) -> None:
    root = tree("happy/anna_1.wav")
    toml = 'speaker = "(?P<speaker>[a-z]+)_"\r\ntitle = "Zoë"\r\n'
    (root / "corpus.toml").write_bytes(toml.encode(encoding))
    assert FolderCorpus.open(root, "mine").title == "Zoë"


def test_a_description_in_windows_1252_is_named(tree) -> None:
    root = tree("happy/anna_1.wav")
    (root / "corpus.toml").write_bytes('title = "Zoë"'.encode("cp1252"))
    with pytest.raises(CorpusError, match=r"corpus.toml' is not a UTF-8 text file \(line 1\).*Windows-1252"):
        FolderCorpus.open(root, "mine")


def test_a_folder_may_stand_for_an_emotion_of_the_user_s_own(tree) -> None:
    result = scan(tree("hurried/a.wav", "frustration/b.wav"), '[emotions]\nhurried = "stress"')
    assert [(clip.emotion, clip.label) for clip in result.clips] == [
        ("frustrated", "frustration"),
        ("stress", "hurried"),
    ]
