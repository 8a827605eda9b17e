"""Databases as audformat writes them."""

from __future__ import annotations

import builtins
import importlib.util
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import audformat
import pandas as pd
import pytest

from data.locate import locate
from data.scanning import scan_corpus
from schemas.clip import Scan
from schemas.errors import CorpusError
from schemas.labels import Gender

Tree = Callable[..., Path]

FILES = ["wav/03a01Fa.wav", "wav/03a01Wa.wav", "wav/08a01Na.wav"]


def scan(request: str, root: Path) -> Scan:
    ((corpus, path),) = locate(request, root).found
    return scan_corpus(corpus, path)


def database() -> audformat.Database:
    """A database of the shape in which EMO-DB is published: emotions in one table, speakers in another."""
    made = audformat.Database("calls", source="https://example.org", usage="research", license="CC0-1.0")
    made.schemes["emotion"] = audformat.Scheme(labels=["anger", "happiness", "neutral"])
    made.schemes["speaker"] = audformat.Scheme(
        "int", labels={3: {"gender": "male", "age": 31}, 8: {"gender": "female", "age": 34}}
    )
    made.schemes["transcription"] = audformat.Scheme(labels={"a01": {"en": "The cloth"}})
    made["emotion"] = audformat.Table(audformat.filewise_index(FILES))
    made["emotion"]["emotion"] = audformat.Column(scheme_id="emotion")
    made["emotion"]["emotion"].set(["happiness", "anger", "neutral"])
    made["emotion"]["emotion.confidence"] = audformat.Column()
    made["emotion"]["emotion.confidence"].set([0.9, 1.0, 0.8])
    made["files"] = audformat.Table(audformat.filewise_index(FILES[::-1]))
    for column, values in {"speaker": [8, 3, 3], "transcription": ["a01"] * 3}.items():
        made["files"][column] = audformat.Column(scheme_id=column)
        made["files"][column].set(values)
    return made


def facts(found: Scan) -> list[tuple[object, ...]]:
    return [(c.path, c.speaker, c.gender, c.emotion, c.label, c.sentence) for c in found.clips]


EXPECTED = [
    ("wav/03a01Fa.wav", "calls/3", Gender.MALE, "happy", "happiness", "a01"),
    ("wav/03a01Wa.wav", "calls/3", Gender.MALE, "angry", "anger", "a01"),
    ("wav/08a01Na.wav", "calls/8", Gender.FEMALE, "neutral", "neutral", "a01"),
]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_emotions_speakers_and_genders_are_joined_from_all_tables(tree: Tree, form: str) -> None:
    root = tree(*FILES)
    database().save(str(root), storage_format=form)
    found = scan(f"calls={root}", root)
    assert facts(found) == EXPECTED
    ((corpus, _),) = locate(f"calls={root}/db.yaml", root).found
    assert (corpus.licence, corpus.title) == ("CC0-1.0", "calls")


def test_a_misc_table_may_describe_the_speakers(tree: Tree) -> None:
    root, made = tree(*FILES), database()
    made["speaker"] = audformat.MiscTable(pd.Index([3, 8], dtype="Int64", name="speaker"))
    made.schemes["gender"] = audformat.Scheme(labels=["female", "male"])
    made["speaker"]["gender"] = audformat.Column(scheme_id="gender")
    made["speaker"]["gender"].set(["male", "female"])
    made.schemes["speaker"] = audformat.Scheme("int", labels="speaker")
    made.save(str(root))
    assert facts(scan(f"calls={root}", root)) == EXPECTED


def test_tables_that_are_splits_are_read_together(tree: Tree) -> None:
    root, made = tree(*FILES), database()
    made.drop_tables("emotion")
    for name, kind, files, labels in (
        ("emotion.train", "train", FILES[:2], ["happiness", "anger"]),
        ("emotion.test", "test", FILES[2:], ["neutral"]),
    ):
        made.splits[kind] = audformat.Split(kind)
        made[name] = audformat.Table(audformat.filewise_index(files), split_id=kind)
        made[name]["emotion"] = audformat.Column(scheme_id="emotion")
        made[name]["emotion"].set(labels)
    made.save(str(root))
    found = scan(f"calls={root}", root)
    assert facts(found) == EXPECTED
    assert [clip.split for clip in found.clips] == ["train", "train", "test"]


def test_another_column_is_named_behind_the_path(tree: Tree) -> None:
    root, made = tree(*FILES), database()
    made["files"]["mood"] = audformat.Column()
    made["files"]["mood"].set(["joy", "joy", "stress"])
    made["files"]["text"] = audformat.Column()
    made["files"]["text"].set(["x", "y", "z"])
    made.save(str(root))
    found = scan(f"calls={root}:emotion=files.mood:sentence=files.text", root)
    assert [(c.path, c.emotion, c.sentence) for c in found.clips] == [
        ("wav/03a01Fa.wav", "stress", "z"),
        ("wav/03a01Wa.wav", "happy", "y"),
        ("wav/08a01Na.wav", "happy", "x"),
    ]
    other = scan(f"calls={root}:speaker=files.mood", root)
    assert {clip.speaker for clip in other.clips} == {"calls/joy", "calls/stress"}
    with pytest.raises(CorpusError, match=r"has no column 'files.temper', only emotion.emotion, "):
        locate(f"calls={root}:emotion=files.temper", root)


def test_files_without_an_emotion_and_files_that_are_missing_are_reported(tree: Tree) -> None:
    root, made = tree(*FILES[:2]), database()
    made["emotion"]["emotion"].set([None, "anger", "neutral"])
    made.save(str(root))
    found = scan(f"calls={root}", root)
    assert [clip.path for clip in found.clips] == [FILES[1]]
    assert {entry.path: entry.reason for entry in found.ignored} == {
        FILES[0]: "row 1 of db.yaml names no emotion",
        FILES[2]: "row 3 of db.yaml: there is no such file",
    }


def _ambiguous(made: audformat.Database) -> None:
    made["votes"] = made["emotion"].copy()
    made["votes"].drop_columns("emotion.confidence", inplace=True)
    made["more"] = made["votes"].copy()
    made.drop_tables("emotion")


def _nothing(made: audformat.Database) -> None:
    made.drop_tables("emotion")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _ambiguous,
            r"has emotions in more.emotion, votes.emotion; choose .*:emotion=more.emotion",
        ),
        (_nothing, "has no table with a column or scheme 'emotion'; name the column behind the path"),
    ],
)
def test_a_choice_is_asked_for_if_no_column_or_several_have_emotions(
    tree: Tree, change: Callable[[audformat.Database], None], message: str
) -> None:
    root, made = tree(*FILES), database()
    change(made)
    made.save(str(root))
    with pytest.raises(CorpusError, match=message):
        locate(f"calls={root}", root)


class _Runs:
    """Runs code when it is unpickled."""

    def __init__(self, code: str) -> None:
        self._code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self._code,)


def test_nothing_in_a_database_can_run_code(tree: Tree, tmp_path: Path) -> None:
    root, proof = tree(*FILES), tmp_path / "proof"
    database().save(str(root))
    code = f"open({str(proof)!r}, 'w').close()"
    (root / "db.emotion.pkl").write_bytes(pickle.dumps(_Runs(code)))
    assert facts(scan(f"calls={root}", root)) == EXPECTED
    assert not proof.exists()
    header = root / "db.yaml"
    header.write_text(header.read_text() + f"meta: !!python/object/apply:builtins.exec [{code!r}]\n")
    with pytest.raises(CorpusError, match=r"is not valid YAML in line \d+"):
        locate(f"calls={root}", root)
    assert not proof.exists()


def test_tables_that_are_only_pickled_or_absent_are_refused(tree: Tree) -> None:
    root = tree(*FILES)
    database().save(str(root), storage_format="pkl")
    with pytest.raises(
        CorpusError, match=r"table 'emotion' of .* is stored only as a pickle, which can run code"
    ):
        locate(f"calls={root}", root)
    (root / "db.emotion.pkl").unlink()
    with pytest.raises(CorpusError, match=r"has no file 'db.emotion.parquet' or 'db.emotion.csv'"):
        locate(f"calls={root}", root)


def test_rows_with_times_are_segments_and_get_what_is_said_of_their_file(tree: Tree) -> None:
    root, made = tree(*FILES), database()
    made.drop_tables("emotion")
    made["emotion"] = audformat.Table(audformat.segmented_index([FILES[0]] * 2, [0, 1.5], [1.5, pd.NaT]))
    made["emotion"]["emotion"] = audformat.Column(scheme_id="emotion")
    made["emotion"]["emotion"].set(["anger", "neutral"])
    made.save(str(root))
    found = scan(f"calls={root}", root)
    assert [(c.path, c.speaker, c.emotion, c.start_s, c.end_s) for c in found.clips] == [
        (FILES[0], "calls/3", "angry", 0.0, 1.5),
        (FILES[0], "calls/3", "neutral", 1.5, None),
    ]


def test_without_the_library_the_extra_is_named(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(*FILES)
    database().save(str(root))
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "data.tables.audformat_database.find_spec", lambda name: None if name == "audformat" else real(name)
    )
    imported = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        assert name != "audformat"
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(CorpusError, match=r"pip install 'ser-features\[audformat\]'"):
        locate(f"calls={root}", root)
