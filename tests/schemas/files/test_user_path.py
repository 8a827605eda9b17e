"""A path means what its user means: home folders, unset variables, accents of a Mac."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from schemas.errors import UsageError
from schemas.files.user_path import as_on_disk, user_path


def composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def decomposed(name: str) -> str:
    return unicodedata.normalize("NFD", name)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.mark.parametrize("text", ["", " ", "\t", "\n"])
def test_an_empty_path_is_not_the_current_folder(text: str) -> None:
    with pytest.raises(UsageError, match="path is empty"):
        user_path(text)


@pytest.mark.parametrize(
    ("text", "below"), [("~", ""), ("~/", ""), ("~/a/b.zarr", "a/b.zarr"), ("~//a", "a"), ("~/~", "~")]
)
def test_a_tilde_is_the_home_folder(text: str, below: str, home: Path) -> None:
    assert user_path(text) == home / below


@pytest.mark.parametrize("text", ["a~", "./~/a", "/a/~", "=~"])
def test_a_tilde_elsewhere_is_a_character(text: str) -> None:
    assert user_path(text) == Path(text)


def test_a_home_folder_that_is_not_known_is_refused_and_a_file_of_that_name_is_found(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'~nobody-at-all' .* is not known"):
        user_path("~nobody-at-all/new.zarr")
    (tmp_path / "~backup.wav").touch()
    assert user_path("~backup.wav") == Path("~backup.wav")


@pytest.mark.parametrize("value", ["", None])
def test_without_a_home_folder_no_folder_called_tilde_is_meant(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    if value is not None:
        monkeypatch.setenv("HOME", value)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    with pytest.raises(UsageError, match="is not known"):
        user_path("~/new.zarr")


@pytest.mark.parametrize("stored", [composed, decomposed])
@pytest.mark.parametrize("typed", [composed, decomposed])
def test_the_name_on_disk_is_found_however_its_accents_are_typed(stored, typed, tmp_path: Path) -> None:
    there = tmp_path / stored("Grün") / stored("Zoë.wav")
    there.parent.mkdir()
    there.touch()
    for path in (Path(typed("Grün/Zoë.wav")), tmp_path / typed("Grün") / typed("Zoë.wav")):
        found = user_path(path)
        assert found.exists()
        assert found.name == there.name
    assert user_path(typed("Grün/né.wav")) == Path(stored("Grün")) / typed("né.wav")


def test_an_exact_name_wins_and_of_several_others_none_is_guessed(tmp_path: Path) -> None:
    name = "Việt"
    forms = {composed(name), decomposed(name)}
    assert len(forms) == 2
    for form in forms:
        (tmp_path / form).touch()
        assert as_on_disk(Path(form)) == Path(form)
    mixed = decomposed("Vi\u1ec7t").replace("\u0323\u0302", "\u0302\u0323")
    assert os.fspath(as_on_disk(Path(mixed))) == mixed
