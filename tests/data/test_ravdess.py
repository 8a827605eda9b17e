import pytest

from data.ravdess import Ravdess
from schemas.labels import Emotion, Gender


def reasons(scan) -> dict[str, str]:
    return {item.path: item.reason for item in scan.ignored}


def test_every_field_of_a_name_is_read(tree) -> None:
    root = tree("Actor_12/03-01-06-02-02-01-12.wav")
    (clip,) = Ravdess().scan(root).clips
    assert clip.clip_id == "ravdess/03-01-06-02-02-01-12"
    assert (clip.speaker, clip.gender) == ("ravdess/12", Gender.FEMALE)
    assert (clip.emotion, clip.label, clip.intensity) == (Emotion.FEARFUL, "fearful", "strong")
    assert (clip.sentence, clip.repetition) == ("Dogs are sitting by the door", 1)
    assert (clip.path, clip.note) == ("Actor_12/03-01-06-02-02-01-12.wav", "")


def test_the_eight_emotions_have_their_published_codes(tree) -> None:
    root = tree(*(f"Actor_01/03-01-0{code}-01-01-01-01.wav" for code in range(1, 9)))
    order = [str(clip.emotion) for clip in Ravdess().scan(root).clips]
    assert order == ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]


def test_odd_actors_are_men_and_even_ones_women(tree) -> None:
    root = tree(*(f"03-01-01-01-01-01-{actor:02d}.wav" for actor in range(1, 25)))
    assert {c.speaker: c.gender for c in Ravdess().scan(root).clips} == {
        f"ravdess/{actor:02d}": Gender.MALE if actor % 2 else Gender.FEMALE for actor in range(1, 25)
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("03-02-03-01-01-01-01.wav", "song"),
        ("01-01-03-01-01-01-01.mp4", "video with sound"),
        ("02-01-03-01-01-01-01.mp4", "video without sound"),
        ("01-01-03-01-01-01-01.wav", "video with sound"),
        ("04-01-03-01-01-01-01.wav", "modality 04"),
        ("03-03-03-01-01-01-01.wav", "channel 03"),
        ("03-01-09-01-01-01-01.wav", "emotion 09"),
        ("03-01-00-01-01-01-01.wav", "emotion 00"),
        ("03-01-03-03-01-01-01.wav", "intensity 03"),
        ("03-01-03-01-03-01-01.wav", "statement 03"),
        ("03-01-03-01-01-03-01.wav", "repetition 03"),
        ("03-01-03-01-01-01-25.wav", "actor 25"),
        ("03-01-03-01-01-01-00.wav", "actor 00"),
        ("03-01-03-01-01-01.wav", "not named like"),
        ("hello.wav", "not named like"),
        ("Audio_Speech_Actors_01-24.zip", "unpack"),
        ("notes.txt", "not an audio file"),
    ],
)
def test_what_is_no_speech_clip_is_ignored_and_called_what_it_is(tree, name: str, reason: str) -> None:
    scan = Ravdess().scan(tree(name, "03-01-03-01-01-01-02.wav"))
    assert [clip.speaker for clip in scan.clips] == ["ravdess/02"]
    assert reason in reasons(scan)[name]


def test_an_actor_folder_that_disagrees_is_noted_and_the_name_is_taken(tree) -> None:
    (clip,) = Ravdess().scan(tree("Actor_05/03-01-03-01-01-01-03.wav")).clips
    assert clip.speaker == "ravdess/03"
    assert "Actor_05" in clip.note
    assert "03" in clip.note


def test_a_nested_copy_of_the_tree_is_taken_once(tree) -> None:
    name = "Actor_01/03-01-03-01-01-01-01.wav"
    scan = Ravdess().scan(tree(f"audio_speech_actors_01-24/{name}", name))
    assert [clip.path for clip in scan.clips] == [name]
    assert reasons(scan) == {f"audio_speech_actors_01-24/{name}": f"same clip as {name}"}


def test_of_two_formats_the_lossless_one_is_kept_then_the_first_by_name(tree) -> None:
    stem = "03-01-03-01-01-01-01"
    scan = Ravdess().scan(tree(f"{stem}.mp3", f"{stem}.wav", f"{stem}.flac"))
    assert [clip.path for clip in scan.clips] == [f"{stem}.flac"]
    assert reasons(scan) == {f"{stem}.{s}": f"same clip as {stem}.flac" for s in ("mp3", "wav")}


def test_clips_are_sorted_by_speaker_then_id_whatever_the_folders(tree) -> None:
    root = tree("a/03-01-04-01-01-01-02.wav", "b/03-01-03-01-01-01-02.wav", "c/03-01-08-01-01-01-01.wav")
    ids = [clip.clip_id[-5:] for clip in Ravdess().scan(root).clips]
    assert ids == ["01-01", "01-02", "01-02"]
    keys = [(clip.speaker, clip.clip_id) for clip in Ravdess().scan(root).clips]
    assert keys == sorted(keys)


def test_every_file_is_a_clip_or_ignored(tree) -> None:
    paths = [
        "03-01-03-01-01-01-01.wav",
        "x/03-01-03-01-01-01-01.WAV",
        "y.wav",
        "z.csv",
        "03-02-03-01-01-01-01.wav",
    ]
    scan = Ravdess().scan(tree(*paths))
    assert sorted([*(c.path for c in scan.clips), *(i.path for i in scan.ignored)]) == sorted(paths)


def test_a_tree_without_a_clip_says_so(tree) -> None:
    assert "no audio file" in Ravdess().scan(tree("readme.txt")).notices[0]
    assert "archives" in Ravdess().scan(tree("a.zip", root="zipped")).notices[0]
    assert "1 audio file found, but no clip" in Ravdess().scan(tree("x.wav", root="others")).notices[0]


def test_the_real_corpus_is_complete(real_corpora) -> None:
    scan = Ravdess().scan(real_corpora / "ravdess")
    genders = {clip.speaker: clip.gender for clip in scan.clips}
    assert len(scan.clips) == len({clip.clip_id for clip in scan.clips}) == 1440 == Ravdess().expected_clips
    assert len(genders) == 24
    assert sorted(genders.values()).count(Gender.FEMALE) == 12
    per_emotion = [sum(clip.emotion is e for clip in scan.clips) for e in tuple(Emotion)[:8]]
    assert per_emotion == [96, 192, 192, 192, 192, 192, 192, 192]
    assert (scan.ignored, scan.notices) == ((), ())
    assert not any(clip.note for clip in scan.clips)
