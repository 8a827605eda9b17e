from pathlib import Path

import pytest

from data.locate import Located, locate
from schemas.errors import CorpusError, CorpusNotFoundError, UnknownNameError, UsageError

RAVDESS = "Actor_01/03-01-03-01-01-01-01.wav"


def names(located: Located) -> list[str]:
    return [corpus.name for corpus, _ in located.found]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("RAVDESS", "ravdess"),
        ("Audio_Speech_Actors_01-24", "ravdess"),
        ("ravdess-emotional-speech-audio", "ravdess"),
        ("TESS Toronto emotional speech set data", "tess"),
        ("toronto-emotional-speech-set-tess", "tess"),
        ("AudioWAV", "cremad"),
        ("CREMA-D", "cremad"),
        ("crema_d", "cremad"),
        ("EmoDB", "emodb"),
        ("EMO-DB", "emodb"),
        ("berlin", "emodb"),
        ("Savee", "savee"),
        ("surrey-audiovisual-expressed-emotion-savee", "savee"),
    ],
)
def test_folders_are_found_by_the_names_of_common_downloads(tree, folder: str, name: str) -> None:
    root = tree(f"{folder}/a.wav")
    assert [(corpus.name, path) for corpus, path in locate(name, root).found] == [(name, root / folder)]
    assert names(locate("all", root)) == [name]


def test_all_takes_what_is_there_in_fixed_order_and_tells_the_rest(tree) -> None:
    root = tree("tess/a.wav", "cremad/a.wav", "ravdess/a.wav", "holiday/a.wav", ".cache/a.wav", "loose.wav")
    located = locate("all", root)
    assert names(located) == ["ravdess", "tess", "cremad"]
    assert [corpus.name for corpus in located.missing] == ["savee", "emodb"]
    assert located.unrecognised == ("holiday",)
    assert located.left_out == ()


def test_all_never_takes_the_demo_voices(tree) -> None:
    located = locate("all", tree("tess/a.wav", "demo/a.wav"))
    assert names(located) == ["tess"]
    assert located.left_out == ("demo",)
    assert located.unrecognised == ()


def test_the_demo_voices_alone_are_nothing_for_all_but_found_by_name(tree) -> None:
    root = tree("demo/a.wav")
    with pytest.raises(CorpusNotFoundError, match="demo"):
        locate("all", root)
    assert names(locate("demo", root)) == ["demo"]
    assert names(locate("all,demo", tree("tess/a.wav"))) == ["tess", "demo"]


def test_all_takes_every_described_folder(tree) -> None:
    root = tree("tess/a.wav", "calls/happy/a.wav", "calls/corpus.toml", "b/happy/a.wav", "b/corpus.toml")
    (root / "b" / "corpus.toml").write_text('name = "acted"')
    located = locate("all", root)
    assert names(located) == ["tess", "acted", "calls"]
    assert located.unrecognised == ()
    assert names(locate("acted", root)) == ["acted"]


def test_two_described_folders_of_one_name_are_refused(tree) -> None:
    root = tree("a/happy/1.wav", "b/happy/1.wav")
    for folder in "ab":
        (root / folder / "corpus.toml").write_text('name = "calls"')
    with pytest.raises(CorpusError, match="both named 'calls'"):
        locate("all", root)


def test_a_folder_without_audio_is_no_corpus(tree) -> None:
    root = tree("tess/a.wav", "ravdess/archive.zip", "crema-d/VideoDemographics.csv")
    located = locate("all", root)
    assert names(located) == ["tess"]
    assert located.left_out == ("crema-d", "ravdess")
    with pytest.raises(CorpusNotFoundError, match="audio"):
        locate("ravdess", root)
    with pytest.raises(CorpusNotFoundError, match="audio"):
        locate(f"ravdess={root / 'ravdess'}", root)


def test_of_two_folders_of_a_corpus_the_one_with_audio_and_the_best_name_is_taken(tree) -> None:
    root = tree("Audio_Speech_Actors_01-24/a.wav", "ravdess/b.wav")
    located = locate("all", root)
    assert [path for _, path in located.found] == [root / "ravdess"]
    assert located.left_out == ("Audio_Speech_Actors_01-24",)
    (root / "ravdess" / "b.wav").unlink()
    assert [path for _, path in locate("all", root).found] == [root / "Audio_Speech_Actors_01-24"]


def test_a_place_can_be_given_for_known_and_own_corpora(tree) -> None:
    speech = tree("happy/a.wav", root="elsewhere")
    located = locate(f" mine={speech} , tess={speech.parent / 'other'}", tree("b.wav", root="other").parent)
    assert [(c.name, p) for c, p in located.found] == [("tess", speech.parent / "other"), ("mine", speech)]


def test_a_given_place_needs_no_corpora_root(tree, tmp_path: Path) -> None:
    assert names(locate(f"mine={tree('happy/a.wav')}", tmp_path / "absent")) == ["mine"]


def test_a_place_beats_the_folder_under_the_root(tree) -> None:
    root, other = tree("tess/a.wav"), tree("a.wav", root="other")
    assert locate(f"all,tess={other}", root).found[0][1] == other


def test_a_described_folder_given_under_another_name_is_taken_once(tree) -> None:
    root = tree("calls/happy/a.wav", "calls/corpus.toml", "tess/a.wav")
    assert names(locate(f"all,mine={root / 'calls'}", root)) == ["tess", "mine"]


def test_a_named_corpus_that_is_absent_is_refused_with_root_names_and_source(tree) -> None:
    root = tree("tess/a.wav")
    with pytest.raises(CorpusNotFoundError) as caught:
        locate("ravdess", root)
    for message in (
        str(root),
        "Audio_Speech_Actors_01-24",
        "https://zenodo.org/records/1188976",
        "ravdess=PATH",
    ):
        assert message in str(caught.value)


@pytest.mark.parametrize("request_", ["all", "tess"])
def test_a_root_that_is_absent_is_named(tmp_path: Path, request_: str) -> None:
    with pytest.raises(CorpusNotFoundError, match="absent"):
        locate(request_, tmp_path / "absent")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (RAVDESS, "ravdess"),
        ("OAF_sad/OAF_back_sad.wav", "tess"),
        ("DC/a01.wav", "savee"),
        ("DC_a01.wav", "savee"),
        ("1001_IEO_NEU_XX.wav", "cremad"),
        ("wav/03a01Fa.wav", "emodb"),
        ("f01/f01_s1_happy_1.wav", "demo"),
    ],
)
@pytest.mark.parametrize("request_", ["all", "ravdess"])
def test_a_root_that_is_a_corpus_itself_gets_the_right_call(
    tree, file: str, name: str, request_: str
) -> None:
    root = tree(file, root="some folder")
    with pytest.raises(CorpusNotFoundError) as caught:
        locate(request_, root)
    assert f"--datasets {name}={root}" in str(caught.value)


def test_a_root_that_is_a_described_corpus_gets_the_right_call(tree) -> None:
    root = tree("happy/a.wav", "corpus.toml", root="calls")
    with pytest.raises(CorpusNotFoundError, match=f"--datasets calls={root}"):
        locate("all", root)


def test_an_undescribed_folder_asked_for_by_name_is_refused_with_the_call(tree) -> None:
    root = tree("calls/happy/a.wav")
    with pytest.raises(UnknownNameError, match=f"calls={root / 'calls'}"):
        locate("calls", root)


def test_a_name_that_is_nothing_is_refused(tree) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ravdess'"):
        locate("ravdes", tree("tess/a.wav"))


@pytest.mark.parametrize("request_", ["", ",", "tess,", "=x", "tess="])
def test_a_malformed_request_is_refused(tree, request_: str) -> None:
    with pytest.raises(UsageError):
        locate(request_, tree("tess/a.wav"))


@pytest.mark.parametrize("name", ["records", "Mine", "a/b"])
def test_a_place_for_a_name_that_cannot_be_is_refused(tree, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        locate(f"{name}={tree('happy/a.wav')}", tree("tess/a.wav", root="corpora"))


def test_one_folder_under_two_names_is_refused(tree) -> None:
    root = tree("happy/a.wav")
    with pytest.raises(UsageError, match="are the same"):
        locate(f"a={root},b={root}", root)


def test_one_name_at_two_places_is_refused(tree) -> None:
    with pytest.raises(UsageError, match="given twice"):
        locate("tess=/a,tess=/b", tree("tess/a.wav"))


def test_a_place_that_is_no_folder_is_named(tree) -> None:
    with pytest.raises(CorpusNotFoundError, match="/nowhere"):
        locate("tess=/nowhere", tree("tess/a.wav"))


def test_all_finds_the_real_corpora(real_corpora) -> None:
    located = locate("all", real_corpora)
    assert names(located)[0] == "ravdess"
    assert ("tess" in names(located)) == (real_corpora / "tess").is_dir()
