"""``ser-features`` as its users meet it: what it prints, and how it ends."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from schemas.defaults import DEFAULT_RECIPE
from schemas.features import FEATURE_KINDS
from schemas.spec import StorageSpec
from tests import commands


def run(*arguments: str | Path, status: int = 0) -> commands.Completed:
    return commands.run("ser-features", *arguments, status=status)


def test_build_info_and_verify(small_demo: Path, tiny_recipe: str, tmp_path: Path) -> None:
    out = tmp_path / "s.zarr"
    build = ["build", "--datasets", "demo", "--corpora", small_demo, "--recipe", tiny_recipe, "--out", out]
    printed = run(*build).stdout
    assert "112 clips, 16 speakers" in printed
    assert "112 clips × 3 views" in printed
    assert "nothing to do" in run(*build).stdout
    assert "112" in run("info", out).stdout
    assert json.loads(run("info", out, "--json").stdout)["datasets"]["demo"]["clips"] == 112
    assert run("verify", out, "--full").stdout.startswith("ok")
    (out / "demo/mel/c/0/0/0/0").unlink()
    damaged = run("verify", out, status=1)
    assert "missing" in damaged.stdout
    findings = json.loads(run("verify", out, "--json", status=1).stdout)["findings"]
    assert [finding["object"] for finding in findings] == ["demo/mel/c/0/0/0/0"]


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{:064x}\nsize 50000\n"


def test_a_build_without_a_usable_recording_fails_and_can_be_repeated(
    small_demo: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    """A corpus cloned without git-lfs, alone and beside a whole one."""
    root = tmp_path / "corpora"
    (root / "cremad" / "AudioWAV").mkdir(parents=True)
    clips = [root / "cremad" / "AudioWAV" / f"100{n}_DFA_ANG_XX.wav" for n in (1, 2, 3)]
    for number, clip in enumerate(clips):
        clip.write_text(POINTER.format(number))
    options = ["--corpora", root, "--recipe", tiny_recipe, "--out", tmp_path / "s.zarr"]
    for _ in range(2):  # the second time there is nothing to do
        said = run("build", *options, status=1)
        assert "3 clips (3 unusable)" in said.stdout
        assert "cremad has no usable recording (the first, AudioWAV/1001_DFA_ANG_XX.wav" in said.stderr
        assert "git lfs pull" in said.stderr
    both = ["build", "--datasets", f"cremad,demo={small_demo / 'demo'}", *options, "--json"]
    built = json.loads(run(*both, status=1).stdout)
    assert (built["datasets"]["demo"]["bad"], built["datasets"]["cremad"]["bad"]) == (0, 3)
    assert run("verify", tmp_path / "s.zarr", "--full").stdout.startswith("ok")
    voice = min((small_demo / "demo").rglob("*.wav"))
    clips[1].write_bytes(voice.read_bytes())
    assert json.loads(run(*both).stdout)["datasets"]["cremad"]["bad"] == 2


def test_augment_takes_the_first_views(small_demo: Path, tiny_recipe: str, tmp_path: Path) -> None:
    arguments = ["--datasets", "demo", "--corpora", small_demo, "--recipe", tiny_recipe, "--json"]
    built = json.loads(run("build", "--augment", "1", *arguments, "--out", tmp_path / "a.zarr").stdout)
    assert built["views"] == ["original", "noise"]
    assert built["clips_built"] == 112


def test_datasets_lists_what_is_there_and_how_to_get_the_rest(small_demo: Path) -> None:
    printed = run("datasets", "--corpora", small_demo).stdout
    assert "112 of 672 clips, 16 speakers" in printed
    for name, licence in {"ravdess": "CC BY-NC-SA 4.0", "cremad": "ODbL"}.items():
        assert name in printed
        assert licence in printed
    entries = {
        entry["name"]: entry
        for entry in json.loads(run("datasets", "--corpora", small_demo, "--json").stdout)
    }
    assert entries["demo"]["clips"] == 112
    assert entries["savee"]["clips"] is None
    assert entries["savee"]["expected_clips"] == 480


def test_datasets_names_a_folder_that_is_not_there(tmp_path: Path) -> None:
    said = run("datasets", "--corpora", tmp_path / "nowhere")
    assert f"note: the corpora folder '{tmp_path / 'nowhere'}' does not exist" in said.stderr
    assert "ravdess    not found" in said.stdout


def test_all_never_takes_the_demo_voices(small_demo: Path, tmp_path: Path) -> None:
    error = run("build", "--corpora", small_demo, "--out", tmp_path / "s.zarr", status=1).stderr
    assert "--datasets demo" in error
    assert not (tmp_path / "s.zarr").exists()


MISTAKES = {
    "unknown corpus": (["build", "--datasets", "ravdes"], 2, "did you mean 'ravdess'"),
    "corpus not there": (["build", "--datasets", "savee"], 1, "savee was not found"),
    "too many views": (["build", "--datasets", "demo", "--augment", "7"], 2, "from 0 to 6"),
    "unknown recipe": (["build", "--datasets", "demo", "--recipe", "best"], 2, "unknown recipe 'best'"),
    "missing recipe file": (["build", "--datasets", "demo", "--recipe", "no.toml"], 2, "cannot read recipe"),
    "unknown dtype": (["build", "--datasets", "demo", "--dtype", "int8"], 2, "dtype"),
    "unknown device": (["build", "--datasets", "demo", "--device", "tpu"], 2, "unknown device 'tpu'"),
    "unknown option": (["build", "--speed", "fast"], 2, "--speed"),
    "no store": (["info", "none.zarr"], 1, "there is no feature store at none.zarr"),
    "no store to verify": (["verify", "none.zarr"], 1, "ser-features build"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    mistake: str, small_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, status, sentence = MISTAKES[mistake]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_CORPORA", str(small_demo))
    assert sentence in run(*arguments, status=status).stderr.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name = ", "not valid TOML"),
        ('name = "x"\nfeatures = []\n[model]\nname = "A"', "features"),
        ('name = "x"\n[[features]]\nkind = "mel"\nbands = 3\n[model]\nname = "A"', "bands"),
        ('name = "x"\n[[features]]\nkind = "smell"\n[model]\nname = "A"', "features"),
        (
            'name = "x"\n[audio]\nsample_rate = 100\n[[features]]\nkind = "mel"\n[model]\nname = "A"',
            "audio.sample_rate: must be greater than or equal to 4000 (got 100)",
        ),
    ],
)
def test_a_malformed_recipe_names_the_field(
    text: str, sentence: str, small_demo: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(text)
    out = tmp_path / "s.zarr"
    arguments = ["--datasets", "demo", "--corpora", small_demo, "--recipe", recipe, "--out", out]
    assert sentence in run("build", *arguments, status=2).stderr
    assert not out.exists()


def test_version_is_the_packages() -> None:
    from importlib.metadata import version

    assert run("--version").stdout.strip() == version("ser-features")


def test_help_names_every_choice_and_default() -> None:
    """The commands do not import the schemas for their help, which would make it slow."""
    storage = StorageSpec.model_fields
    words = " ".join(run("build", "--help").stdout.replace("│", " ").split())
    for choices in (FEATURE_KINDS, *(get_args(storage[name].annotation) for name in ("dtype", "codec"))):
        assert all(re.search(rf"\b{choice}\b", words) for choice in choices), choices
    for default in (storage["dtype"].default, storage["codec"].default, DEFAULT_RECIPE):
        assert f"[default: ({default}" in words, default


def test_help_shows_examples() -> None:
    for command in ("build", "datasets", "demo", "info", "verify"):
        assert f"ser-features {command}" in run(command, "--help").stdout
