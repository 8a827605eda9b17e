"""What libraries find in the environment of a command, and what commands leave behind in an empty home."""

from __future__ import annotations

import getpass
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from featurestore.cli.environment import prepare_environment
from schemas.telemetry import OPT_OUTS

NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")
FOLDERS = ("MPLCONFIGDIR", "DASK_CONFIG", "HF_XET_CACHE")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without names and folders, and the cache that it names."""
    for name in (*NAMES, *FOLDERS, *OPT_OUTS):
        monkeypatch.setenv(name, "")  # so that it is restored whatever is set
        monkeypatch.delenv(name)
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def unknown_user(uid: int) -> pwd.struct_passwd:
    raise KeyError(f"getpwuid(): uid not found: {uid}")


def test_telemetry_is_off_whatever_was_set(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    prepare_environment()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_a_user_without_a_name_gets_one(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwuid", unknown_user)
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    prepare_environment()
    assert getpass.getuser() == str(os.getuid())


def test_a_user_with_a_name_keeps_it(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "anna")
    prepare_environment()
    assert (getpass.getuser(), os.environ.get("LOGNAME")) == ("anna", None)


def test_libraries_write_into_the_cache(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLCONFIGDIR", "/mine")
    prepare_environment()
    assert os.environ["DASK_CONFIG"] == str(bare / "dask")
    assert os.environ["MPLCONFIGDIR"] == "/mine"
    assert not bare.exists()


@pytest.mark.parametrize("kind", ["a file", "no home"])
def test_without_a_cache_they_write_into_a_temporary_folder(
    kind: str, bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare.touch()
    if kind == "no home":
        monkeypatch.delenv("SER_CACHE")
        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(pwd, "getpwuid", unknown_user)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    prepare_environment()
    assert Path(os.environ["DASK_CONFIG"]).parent.parent == tmp_path / "temporary"


def test_without_any_folder_nothing_is_set(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare.touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    prepare_environment()
    assert "DASK_CONFIG" not in os.environ


_CHILD = """
import json, sys
looked_up = []
def hook(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.connect"):
        looked_up.append(f"{event} {args[:2]}")
sys.addaudithook(hook)
from tests.commands import run
for program, *words in json.loads(sys.argv[1]):
    run(program, *words)
print(json.dumps(looked_up))
"""


@pytest.mark.slow
def test_every_command_leaves_an_empty_home_empty_and_looks_up_no_name(tmp_path: Path) -> None:
    """All commands in one process. The web demo has the same test in a browser: tests/training/web."""
    corpus = tmp_path / "calls"
    _write_voices(corpus)
    home, cache = tmp_path / "home", tmp_path / "cache"
    home.mkdir()
    train = ("--store", "calls.zarr", "--model", "functionals", "--set", "labels.target=emotion")
    here = {"labels": ("--datasets", f"calls={corpus}")}
    commands = [
        ("ser-features", "datasets"),
        ("ser-features", "build", *here["labels"], "--augment", "0", "--jobs", "1", "--out", "calls.zarr"),
        ("ser-features", "build", *here["labels"], "--augment", "0", "--workers", "1", "--out", "dask.zarr"),
        ("ser-features", "info", "calls.zarr"),
        ("ser-features", "verify", "--full", "calls.zarr"),
        ("ser-features", "compare", "calls.zarr", "dask.zarr"),
        ("ser-features", "audit", "calls.zarr", "--save", "split.json"),
        ("ser-features", "listen", "calls.zarr", "angry/a_1", *here["labels"]),
        ("ser-features", "report", "calls.zarr"),
        ("ser-features", "pack", "calls.zarr", "calls.tar"),
        ("ser-features", "unpack", "calls.tar", "unpacked.zarr"),
        ("ser-features", "push", "calls.zarr", "published"),
        ("ser-features", "pull", "published", "pulled.zarr"),
        ("ser-train", *train, "--out", "runs"),
        ("ser-train", *train, "--protocol", "kfold:2", "--out", "series"),
        ("ser-evaluate", "RUN"),
        ("ser-predict", "RUN", f"{corpus}/sad/b_1.wav"),
        ("ser-export", "RUN", "model.onnx"),
    ]
    script = _CHILD.replace(
        "    run(program, *words)",
        "    import glob\n    run(program, *(glob.glob('runs/*')[0] if w == 'RUN' else w for w in words))",
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, json.dumps(commands)],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
            "HOME": str(home),
            "SER_CACHE": str(cache),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    names = [
        entry for entry in json.loads(ended.stdout) if "127.0.0.1" not in entry and "AF_UNIX" not in entry
    ]
    assert names == []
    assert [str(path.relative_to(home)) for path in home.rglob("*")] == []
    assert {path.name for path in cache.iterdir()} <= {"dask", "matplotlib", "recordings"}


def _write_voices(folder: Path) -> None:
    """2 emotions × 4 speakers × 2 takes of a buzz, half a second each, that all sound different."""
    draw = np.random.default_rng(0)
    t = np.arange(9_600) / 16_000
    for e, emotion in enumerate(("angry", "sad")):
        (folder / emotion).mkdir(parents=True)
        for s, speaker in enumerate("abcd"):
            for take in (1, 2):
                pitch = 90 + 29 * s + 12 * e + 5 * take
                voice = sum(draw.uniform(0, 1) ** 3 * np.sin(2 * np.pi * pitch * k * t) for k in range(1, 40))
                voice *= 1.2 + np.sin(draw.uniform(8, 40) * t + 6 * draw.uniform())
                noisy = 0.2 * voice / np.abs(voice).max() + 0.001 * draw.standard_normal(len(t))
                soundfile.write(folder / emotion / f"{speaker}_{take}.wav", noisy, 16_000)
    (folder / "corpus.toml").write_text("speaker = '/(?P<speaker>[a-d])_'\n")
