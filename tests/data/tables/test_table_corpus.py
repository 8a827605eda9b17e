"""Corpora from tables, in the forms in which researchers have them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pandas as pd
import pytest
from hypothesis import strategies as st

from data.locate import locate
from data.scanning import scan_corpus
from data.tables.numbers import parse_number
from data.tables.rows import name_cut
from schemas.clip import Scan
from schemas.errors import CorpusError, CorpusNotFoundError, UsageError
from schemas.labels import Gender

Tree = Callable[..., Path]

HEADER = "file,speaker,gender,emotion\n"


def scan(request: str, root: Path) -> Scan:
    ((corpus, path),) = locate(request, root).found
    return scan_corpus(corpus, path)


def test_nkululeko_s_table(tree: Tree) -> None:
    root = tree("wav/a1.wav", "wav/b1.wav")
    (root / "calls.csv").write_text(HEADER + "wav/a1.wav,anna,female,anger\n./wav/b1.wav,ben,m,frustration\n")
    anna, ben = scan(f"calls={root}/calls.csv", root).clips
    assert (anna.clip_id, anna.path, anna.speaker, anna.gender, anna.emotion, anna.label) == (
        *("calls/wav/a1", "wav/a1.wav", "calls/anna", Gender.FEMALE, "angry", "anger"),
    )
    assert (ben.path, ben.gender, ben.emotion) == ("wav/b1.wav", Gender.MALE, "frustrated")


FORMS: dict[str, Callable[[Path, pd.DataFrame], None]] = {
    "t.csv": lambda path, rows: rows.to_csv(path, index=False),
    "bom.csv": lambda path, rows: rows.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n"),
    "semicolons.csv": lambda path, rows: rows.to_csv(path, index=False, sep=";", decimal=","),
    "utf16.csv": lambda path, rows: rows.to_csv(path, index=False, sep="\t", encoding="utf-16"),
    "t.tsv": lambda path, rows: rows.to_csv(path, index=False, sep="\t"),
    "t.parquet": lambda path, rows: rows.to_parquet(path),
    "t.jsonl": lambda path, rows: rows.to_json(path, orient="records", lines=True, force_ascii=False),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_gives_the_same_clips(tree: Tree, form: str) -> None:
    root = tree("a.wav", "ü/b, c.wav", "d.wav")
    rows = pd.DataFrame(
        {
            "Path": ["a.wav", "ü/b, c.wav", "d.wav"],
            "Label": ["happy", "Stress", "no stress"],
            "speaker_id": [1, 2, 2],
            "sex": ["f", "M", None],
            "text": ["Dogs", "„Die Katze; sie“", None],
        }
    )
    FORMS[form](root / form, rows)
    found = scan(f"mine={root}/{form}", root)
    assert [(c.path, c.emotion, c.label, c.speaker, c.gender, c.sentence) for c in found.clips] == [
        ("a.wav", "happy", "happy", "mine/1", "female", "Dogs"),
        ("d.wav", "no stress", "no stress", "mine/2", "unknown", ""),
        ("ü/b, c.wav", "stress", "Stress", "mine/2", "male", "„Die Katze; sie“"),
    ]
    (notice,) = found.notices
    assert "with names of their own: no stress (1), stress (1)" in notice


def test_columns_are_named_behind_the_path_or_in_the_description(tree: Tree) -> None:
    root = tree("a.wav")
    (root / "t.csv").write_text("clip;mood;who\na.wav;cross;anna\n")
    (root / "corpus.toml").write_text(
        'table = "t.csv"\n[columns]\nfile = "clip"\nspeaker = "who"\n[emotions]\ncross = "angry"\n'
    )
    for given in (f"{root}/t.csv", str(root)):
        (clip,) = scan(f"mine={given}:emotion=Mood", root).clips
        assert (clip.emotion, clip.label, clip.speaker) == ("angry", "cross", "mine/anna")


@pytest.mark.parametrize("name", ["t.csv", "semicolons.csv", "t.parquet", "t.jsonl"])
def test_ratings_language_session_and_split_are_kept(tree: Tree, name: str) -> None:
    root = tree("a.wav", "b.wav", "c.wav")
    rows = pd.DataFrame(
        {
            "file": ["a.wav", "b.wav", "c.wav"],
            "emotion": ["sad", None, "happy"],
            "speaker": ["s", "s", "t"],
            "Lang": ["de", "de", None],
            "session": [1, 1, 2],
            "split": ["train", "train", "test"],
            "valence": [1.5, -0.25, None],
            "Activation": [3, 2, None],
            "power": [0.001, None, None],
        }
    )
    FORMS[name](root / name, rows)
    found = scan(f"mine={root}/{name}:dominance=power", root)
    assert [(c.emotion, c.label, c.language, c.session, c.split) for c in found.clips] == [
        ("sad", "sad", "de", "1", "train"),
        ("unknown", "", "de", "1", "train"),
        ("happy", "happy", "", "2", "test"),
    ]
    assert [(c.valence, c.arousal, c.dominance) for c in found.clips] == [
        (1.5, 3.0, 0.001),
        (-0.25, 2.0, None),
        (None, None, None),
    ]
    assert found.notices == ()


def test_a_table_of_ratings_needs_no_emotions(tree: Tree) -> None:
    root = tree("a.wav", "b.wav")
    (root / "t.csv").write_text("file,speaker,arousal\na.wav,s,2\nb.wav,s,\n")
    found = scan(f"mine={root}/t.csv", root)
    assert [(clip.emotion, clip.label, clip.arousal) for clip in found.clips] == [("unknown", "", 2.0)]
    assert [item.reason for item in found.ignored] == ["line 3 of t.csv names no emotion and has no rating"]


@pytest.mark.parametrize("cell", ["high", "nan", "inf", "1_0", "1.2.3", "1e999", "0x10", "٣"])
def test_a_rating_that_is_not_a_number_is_reported_with_its_line(tree: Tree, cell: str) -> None:
    root = tree("a.wav", "b.wav")
    (root / "t.csv").write_text(f"file;emotion;valence\na.wav;sad;1,5\nb.wav;sad;{cell}\n")
    found = scan(f"mine={root}/t.csv", root)
    assert [clip.valence for clip in found.clips] == [1.5]
    assert [item.reason for item in found.ignored] == [
        f"line 3 of t.csv: '{cell}' is not a number; leave the cell of valence empty if it is not known"
    ]


@hypothesis.given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_as_python_writes_them(number: float) -> None:
    assert parse_number(repr(number)) == parse_number(repr(number).replace(".", ",")) == number


NKULULEKO_SEGMENTS = """file,start,end,emotion,speaker,gender
wav/a.wav,0 days 00:00:00,0 days 00:00:01.500000,anger,anna,female
wav/a.wav,0 days 00:00:01.500000,0 days 00:00:03.250000,joy,ben,male
wav/a.wav,0 days 00:00:02.000000,NaT,sadness,anna,female
wav/b.wav,0 days 00:00:00,NaT,neutral,ben,male
"""
"""As nkululeko writes it, with an index of audformat."""


def test_nkululeko_s_table_of_segments(tree: Tree) -> None:
    root = tree("wav/a.wav", "wav/b.wav")
    (root / "calls.csv").write_text(NKULULEKO_SEGMENTS)
    found = scan(f"calls={root}/calls.csv", root)
    assert [(c.clip_id, c.path, c.start_s, c.end_s, c.emotion) for c in found.clips] == [
        ("calls/wav/a#0000000-0001500", "wav/a.wav", 0.0, 1.5, "angry"),
        ("calls/wav/a#0002000-end", "wav/a.wav", 2.0, None, "sad"),
        ("calls/wav/a#0001500-0003250", "wav/a.wav", 1.5, 3.25, "happy"),
        ("calls/wav/b", "wav/b.wav", None, None, "neutral"),
    ]
    assert found.ignored == ()
    assert found.notices == ()


def _timedeltas(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{name: pd.to_timedelta(rows[name], unit="s") for name in ("Start", "End")})


SEGMENTED: dict[str, Callable[[Path, pd.DataFrame], None]] = {
    "seconds.csv": lambda path, rows: rows.to_csv(path, index=False),
    "commas.csv": lambda path, rows: rows.to_csv(path, index=False, sep=";", decimal=","),
    "times.csv": lambda path, rows: _timedeltas(rows).to_csv(path, index=False),
    "seconds.parquet": lambda path, rows: rows.to_parquet(path),
    "times.parquet": lambda path, rows: _timedeltas(rows).to_parquet(path),
    "seconds.jsonl": lambda path, rows: rows.to_json(path, orient="records", lines=True),
    "clock.csv": lambda path, rows: rows.assign(
        Start=["0:00:00", "00:00:00.0005", "24:00:00"], End=["00:00:01.5", "00:01:01.25", ""]
    ).to_csv(path, index=False),
}


@pytest.mark.parametrize("form", SEGMENTED)
def test_every_form_of_times_gives_the_same_segments(tree: Tree, form: str) -> None:
    root = tree("a.wav")
    rows = pd.DataFrame(
        {
            "file": ["a.wav"] * 3,
            "emotion": ["happy", "sad", "angry"],
            "speaker": ["s"] * 3,
            "Start": [0.0, 0.0005, 86400.0],
            "End": [1.5, 61.25, None],
        }
    )
    SEGMENTED[form](root / form, rows)
    found = scan(f"mine={root}/{form}", root)
    assert [(c.clip_id, c.start_s, c.end_s) for c in found.clips] == [
        ("mine/a#0000000-0001500", 0.0, 1.5),
        ("mine/a#0000000.5-0061250", 0.0005, 61.25),
        ("mine/a#86400000-end", 86400.0, None),
    ]


def test_segments_that_cannot_be_are_reported_with_their_line(tree: Tree) -> None:
    root = tree("a.wav")
    cuts = ("0,1", "2,1", "1,1", "-1,1", "1,soon", "-1 days +23:59:59,1", "0:61:00,", "0,1")
    lines = "".join(f"a.wav,sad,x,{cut}\n" for cut in cuts)
    (root / "t.csv").write_text(f"file,emotion,speaker,start,end\n{lines}")
    found = scan(f"mine={root}/t.csv", root)
    assert [clip.clip_id for clip in found.clips] == ["mine/a#0000000-0001000"]
    assert [item.reason for item in found.ignored] == [
        "line 3 of t.csv: the segment ends at 1 s, but it starts at 2 s; give an end after the start",
        "line 4 of t.csv: the segment ends at 1 s, but it starts at 1 s; give an end after the start",
        "line 5 of t.csv: '-1' is not a time; give seconds, or HH:MM:SS.mmm",
        "line 6 of t.csv: 'soon' is not a time; give seconds, or HH:MM:SS.mmm",
        "line 7 of t.csv: '-1 days +23:59:59' is not a time; give seconds, or HH:MM:SS.mmm",
        "line 8 of t.csv: '0:61:00' is not a time; give seconds, or HH:MM:SS.mmm",
        "line 9 of t.csv names it again, after line 2 of t.csv",
    ]


@hypothesis.given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**9)), min_size=1, max_size=5, unique=True)
)
def test_different_cuts_have_different_names(cuts: list[tuple[int, int]]) -> None:
    names = {name_cut(start / 1e6, (start + length) / 1e6) for start, length in cuts}
    assert len(names) == len(cuts)


def test_all_finds_a_folder_whose_description_names_a_table(tree: Tree) -> None:
    root = tree("calls/wav/a.wav")
    (root / "calls" / "t.tsv").write_text("wav\temotion\tspeaker\nwav/a.wav\tsad\tanna\n")
    (root / "calls" / "corpus.toml").write_text('name = "helpdesk"\ntable = "t.tsv"\n')
    assert [clip.clip_id for clip in scan("all", root).clips] == ["helpdesk/wav/a"]


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_an_audiofolder_of_hugging_face_is_opened_by_its_metadata(tree: Tree, name: str) -> None:
    root = tree("train/a.wav", "train/b.wav")
    rows = [{"file_name": f"train/{x}.wav", "label": "happy", "speaker_id": x} for x in "ab"]
    text = "\n".join(map(json.dumps, rows))
    if name.endswith("csv"):
        text = pd.DataFrame(rows).to_csv(index=False)
    (root / name).write_text(text)
    assert [clip.speaker for clip in scan(f"hf={root}", root).clips] == ["hf/a", "hf/b"]


def test_recordings_may_be_elsewhere(tree: Tree) -> None:
    root = tree("here/t.csv", "sounds/x/a.wav", "sounds/y/b.wav")
    for paths in (
        ("../sounds/x/a.wav", "../sounds/y/b.wav"),
        (f"{root}/sounds/x/a.wav", f"{root}/sounds/y/b.wav"),
    ):
        rows = "".join(f"{path},sad,s\n" for path in paths)
        (root / "here" / "t.csv").write_text("file,emotion,speaker\n" + rows)
        found = scan(f"mine={root}/here/t.csv", root)
        assert found.root.samefile(root / "sounds")
        assert [clip.path for clip in found.clips] == ["x/a.wav", "y/b.wav"]


def test_windows_paths_and_accents_of_a_mac_lead_to_the_file(tree: Tree) -> None:
    on_disk = unicodedata.normalize("NFD", "é.wav")
    root = tree(f"x/{on_disk}")
    (root / "t.csv").write_text("file,emotion,speaker\nx\\é.wav,sad,s\n")
    (clip,) = scan(f"mine={root}/t.csv", root).clips
    assert clip.path == f"x/{on_disk}"


def test_rows_that_cannot_be_used_are_reported_with_their_line(tree: Tree) -> None:
    root = tree("a.wav", "b.wav", "c.wav", "d.txt")
    (root / "t.csv").write_text(
        HEADER
        + "a.wav,s,f,sad\n\nmissing.wav,s,f,sad\nb.wav,s,f,\nd.txt,s,f,sad\nc.wav,s,woman?,sad\n,s,f,sad\n"
        + "a.wav,s,f,sad\nb.wav,s,f,!\n"
    )
    found = scan(f"mine={root}/t.csv", root)
    assert [clip.path for clip in found.clips] == ["a.wav"]
    assert {item.reason for item in found.ignored} == {
        "line 4 of t.csv: there is no such file",
        "line 5 of t.csv names no emotion",
        "line 6 of t.csv: not an audio file",
        "line 7 of t.csv: 'woman?' is not a gender; use female, male or unknown",
        "line 8 of t.csv names no file",
        "line 9 of t.csv names it again, after line 2 of t.csv",
        "line 10 of t.csv: '!' names no emotion; see [emotions] in corpus.toml",
    }
    assert found.notices == ("7 of 8 rows of t.csv are not used",)


def test_a_table_without_speakers_says_what_that_means(tree: Tree) -> None:
    root = tree("a.wav", "b.wav")
    (root / "t.csv").write_text("file,emotion,speaker\na.wav,sad,\nb.wav,sad,x\n")
    found = scan(f"mine={root}/t.csv", root)
    assert {clip.speaker for clip in found.clips} == {"mine/unknown", "mine/x"}
    assert "the speaker of 1 of 2 clips of 'mine' is not known" in found.notices[0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "has no rows"),
        ("file,emotion\n", "has no rows"),
        (
            "a,b\n1,2\n",
            "has no column 'file', only a, b; name the column behind the path, as in NAME=t",
        ),
        ("file,mood\na.wav,sad\n", "has no column 'emotion', only file, mood"),
        ("file,speaker,split\na.wav,x,test\n", "has no column 'emotion', only file, speaker, split"),
        (
            "file,emotion\na.wav,sad\na.wav,happy\n",
            "the emotion 'sad' in line 2 and 'happy' in line 3",
        ),
        ("file,emotion,speaker\na.wav,sad,x\na.wav,sad,y\n", "the speaker 'x' in line 2"),
        (
            "file,emotion,start,end\na.wav,sad,0,1\na.wav,happy,0,1.0\n",
            "'sad' in line 2 and 'happy' in line 3",
        ),
        ("file,valence\na.wav,1\na.wav,2\n", "the valence '1' in line 2 and '2' in line 3"),
        ("file,emotion\na.wav,fröhlich\n".encode("cp1252"), "looks like Windows-1252"),
    ],
)
def test_an_unusable_table_is_refused_in_a_sentence(tree: Tree, content: str | bytes, problem: str) -> None:
    root = tree("a.wav")
    (root / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CorpusError, match=problem):
        scan(f"mine={root}/t.csv", root)


@pytest.mark.parametrize(
    ("request_", "error", "problem"),
    [
        ("mine={root}/none.csv", CorpusNotFoundError, "no folder or table"),
        ("mine={root}/a.wav", CorpusError, "'.*a.wav' is not a table"),
        (
            "ravdess={root}/t.csv",
            UsageError,
            "a corpus cannot be named 'ravdess': this is the name of",
        ),
        ("mine={root}:emotion=mood", UsageError, "a folder without a table, but emotion names a column"),
        (
            "mine={root}/t.csv:emotion=moood",
            CorpusError,
            "no column 'moood' for emotion; did you mean 'mood",
        ),
        ("a={root}/t.csv:emotion=mood,b={root}/t.csv:emotion=mood", UsageError, "'a' and 'b' are the same"),
    ],
)
def test_an_impossible_request_is_refused(
    tree: Tree, request_: str, error: type[Exception], problem: str
) -> None:
    root = tree("a.wav")
    (root / "t.csv").write_text("file,mood,speaker\na.wav,sad,s\n")
    with pytest.raises(error, match=problem):
        locate(request_.format(root=root), root)


def test_two_tables_of_one_folder_are_two_corpora(tree: Tree) -> None:
    root = tree("a.wav")
    for name in "xy":
        (root / f"{name}.csv").write_text("file,emotion,speaker\na.wav,sad,s\n")
    assert [corpus.name for corpus, _ in locate(f"x={root}/x.csv,y={root}/y.csv", root).found] == ["x", "y"]
