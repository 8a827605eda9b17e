"""Corpora that other packages bring: a real distribution on the path of a real command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

from data.plugins import OfferedCorpora
from data.registry import BUILT_IN, CORPORA
from tests import commands

PARLOUR = """
import re
from data.collect import collect
from data.files import walk
from schemas.clip import Clip, Ignored
from schemas.labels import Emotion, Gender


class Parlour:
    name = "parlour"
    title = "The parlour recordings"
    licence = "CC BY 4.0"
    home_page = ""
    how_to_get = "ask the authors"
    expected_clips = None
    folder_names = ("parlour", "the-parlour")

    def scan(self, root):
        return collect(self.name, root, walk(root), clip_of)


def clip_of(path):
    match = re.fullmatch(r"(p[0-9]+)-([a-z]+)-[0-9]", path.partition(".")[0])
    if match is None:
        return Ignored(path, "not named like a clip of parlour")
    return Clip(
        clip_id=f"parlour/{match[0]}",
        dataset="parlour",
        path=path,
        speaker=f"parlour/{match[1]}",
        gender=Gender.UNKNOWN,
        emotion=Emotion(match[2]),
        label=match[2],
    )
"""


def package(folder: Path, name: str, offers: str, code: str = PARLOUR) -> None:
    """Lay a distribution into ``folder`` as pip would: its module, and what its metadata offers."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(code)
    about = folder / f"{name}-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(f"[ser_features.corpora]\n{offers}\n")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Folder of installed packages that the command sees beside its own."""
    return tmp_path / "site"


@pytest.fixture
def corpora(tmp_path: Path, small_demo: Path) -> Path:
    """Corpora root with three clips of the parlour."""
    root = tmp_path / "corpora"
    (root / "The Parlour").mkdir(parents=True)
    clips = sorted((small_demo / "demo").glob("*/*_angry_1.wav"))
    for number, emotion in enumerate(("angry", "sad", "happy"), 1):
        shutil.copyfile(clips[number], root / "The Parlour" / f"p{number}-{emotion}-1.wav")
    return root


def features(site: Path, *arguments: str | Path) -> commands.Completed:
    """``ser-features`` with the packages in ``site``, as in a process that starts with them."""
    unasked = vars(OfferedCorpora(BUILT_IN))
    with patch.object(sys, "path", [str(site), *sys.path]), patch.dict(vars(CORPORA), unasked, clear=True):
        try:
            return commands.run("ser-features", *arguments, status=None)
        finally:
            for module in ("parlour", "salon"):
                sys.modules.pop(module, None)


def output_of(command: Sequence[str], site: Path) -> str:
    """What a process prints, with the packages in ``site``."""
    found = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": found},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_package_adds_a_corpus_that_is_listed_and_built_by_name(
    site: Path, corpora: Path, tmp_path: Path
) -> None:
    package(site, "parlour", "parlour = parlour:Parlour")
    command = commands.process_command("ser-features", "datasets", "--corpora", corpora, "--json")
    listed = json.loads(output_of(command, site))
    (found,) = (entry for entry in listed if entry["name"] == "parlour")
    assert (found["clips"], found["speakers"], found["licence"]) == (3, 3, "CC BY 4.0")
    for request in ("parlour", "all"):
        out = tmp_path / f"{request}.zarr"
        built = features(
            site, "build", "--datasets", request, "--augment", "0", "--corpora", corpora, "--out", out
        )
        assert built.returncode == 0, built.stderr
        assert "3 clips × 1 view" in built.stdout


def test_a_corpus_of_a_package_that_is_not_there_is_listed_with_how_to_get_it(
    site: Path, tmp_path: Path
) -> None:
    package(site, "parlour", "parlour = parlour:PARLOUR", f"{PARLOUR}\n\nPARLOUR = Parlour()\n")
    listed = features(site, "datasets", "--corpora", tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "parlour    not found\n           CC BY 4.0\n           ask the authors\n" in listed.stdout


@pytest.mark.parametrize(
    ("offers", "code", "sentence"),
    [
        (
            "parlour = parlour:Parlour",
            "import no_such_module",
            "the corpus 'parlour' of the package parlour 1.2 is unusable: ModuleNotFoundError: No module",
        ),
        (
            "parlour = parlour:Parlour",
            "class Parlour:\n    name = 'parlour'",
            "parlour:Parlour does not implement data.corpus.Corpus",
        ),
        ("salon = parlour:Parlour", PARLOUR, "its name is 'parlour'"),
        (
            "parlour = parlour:Parlour",
            PARLOUR.replace("the-parlour", "RAVDESS"),
            "its folder name 'ravdess' belongs to ravdess",
        ),
        (
            "parlour = parlour:Parlour",
            PARLOUR.replace('("parlour", "the-parlour")', '("parlour")'),
            "its folder_names are not a tuple of strings: 'parlour'",
        ),
        ("parlour = parlour:Parlour", PARLOUR.replace('"CC BY 4.0"', "4.0"), "its licence is not a string"),
        (
            "tess = parlour:Parlour",
            PARLOUR,
            "'tess', but that name is taken by a built-in corpus",
        ),
        ("all = parlour:Parlour", PARLOUR, "offers a corpus 'all', which is not a valid name"),
    ],
)
def test_a_package_that_cannot_be_used_is_named_in_one_sentence(
    site: Path, tmp_path: Path, offers: str, code: str, sentence: str
) -> None:
    package(site, "parlour", offers, code)
    (tmp_path / "corpora" / "something").mkdir(parents=True)
    for command in (("datasets",), ("build", "--datasets", "all", "--out", tmp_path / "f.zarr")):
        result = features(site, *command, "--corpora", tmp_path / "corpora")
        assert result.returncode == 1
        assert sentence in result.stderr
        assert "Traceback" not in result.stderr


def test_two_packages_with_one_name_are_both_named(site: Path, tmp_path: Path) -> None:
    package(site, "parlour", "parlour = parlour:Parlour")
    package(site, "salon", "parlour = salon:Parlour")
    result = features(site, "datasets", "--corpora", tmp_path)
    assert result.returncode == 1
    assert "packages parlour 1.2 and salon 1.2 both offer a corpus 'parlour'; uninstall one" in result.stderr


def test_two_packages_with_one_folder_are_both_named(site: Path, corpora: Path) -> None:
    package(site, "parlour", "parlour = parlour:Parlour")
    package(site, "salon", "salon = salon:Parlour", PARLOUR.replace('name = "parlour"', 'name = "salon"'))
    result = features(site, "datasets", "--corpora", corpora)
    assert result.returncode == 1
    assert "the corpus 'salon' of the package salon 1.2 is unusable: its folder name '" in result.stderr
    assert "belongs to parlour of the package parlour 1.2" in result.stderr


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (PARLOUR.replace('dataset="parlour"', 'dataset="ravdess"'), "finds 'parlour/p1-angry-1' in"),
        (PARLOUR.replace('f"parlour/{match[0]}"', 'f"ravdess/{match[0]}"'), "finds 'ravdess/p1-angry-1' in"),
        (
            PARLOUR.replace("Emotion(match[2])", "Emotion('cross')"),
            "'cross' is not a valid Emotion",
        ),
    ],
)
def test_a_scan_that_fails_or_names_clips_after_another_corpus_builds_nothing(
    site: Path, corpora: Path, tmp_path: Path, code: str, sentence: str
) -> None:
    package(site, "parlour", "parlour = parlour:Parlour", code)
    out = tmp_path / "f.zarr"
    result = features(site, "build", "--datasets", "parlour", "--corpora", corpora, "--out", out)
    assert result.returncode == 1
    assert sentence in result.stderr
    assert "repair its package" in result.stderr
    assert "Traceback" not in result.stderr
    assert not out.exists()


def test_what_is_only_told_of_needs_no_package_that_works(site: Path) -> None:
    """A model card, of a store whose corpus came with a package that has been broken since."""
    package(site, "parlour", "parlour = parlour:Parlour", "raise RuntimeError('imported')")
    code = "from data.registry import find_corpus; print(find_corpus('tess').name, find_corpus('parlour'))"
    assert output_of([sys.executable, "-c", code], site) == "tess None"


def test_a_package_is_not_imported_where_its_corpus_is_not_asked_for(site: Path) -> None:
    package(site, "parlour", "parlour = parlour:Parlour", "raise RuntimeError('imported')")
    code = "from data.registry import CORPORA; print('parlour' in CORPORA, CORPORA['tess'].name)"
    assert output_of([sys.executable, "-c", code], site) == "True tess"
