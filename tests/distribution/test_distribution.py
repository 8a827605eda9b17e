"""What is published, as who installs it meets it: built, installed without extras, run in an empty folder."""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "data", "pipelines", "featurestore", "training")
COMMANDS = ("ser-features", "ser-train", "ser-evaluate", "ser-predict", "ser-export", "ser-demo", "ser-serve")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@dataclass(frozen=True)
class Said:
    """What a command printed."""

    out: str
    err: str


def run(command: Sequence[str | Path], where: Path, expected: int = 0) -> Said:
    """Run a command whose Python sees nothing of this checkout; assert its exit status."""
    kept = {"PATH", "HOME", "TMPDIR", "SER_CACHE"}
    of_installers = ("PIP_", "UV_", "SSL_CERT_")
    environment = {
        name: value for name, value in os.environ.items() if name in kept or name.startswith(of_installers)
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == expected, f"{command}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return Said(done.stdout, done.stderr)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with an sdist, and a wheel made of it: ``$SER_DIST``, or built here."""
    if "SER_DIST" in os.environ:
        return Path(os.environ["SER_DIST"]).resolve()
    out = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--outdir", out, REPOSITORY], out)
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """``bin`` of an environment that holds the wheel and what it asks for, no extra: gigabytes, not kept.

    uv installs PyTorch several times as fast as pip; ``make dev`` has tried pip.
    """
    root = tmp_path_factory.mktemp("clean")
    python = root / "venv" / "bin" / "python"
    cache = os.environ.get("UV_CACHE_DIR", root / "cache")
    uv = [sys.executable, "-m", "uv", "--cache-dir", cache, "pip"]
    constraints = REPOSITORY / "constraints.txt"
    run([sys.executable, "-m", "venv", root / "venv"], root)
    run([*uv, "install", "--quiet", "--python", python, "--constraint", constraints, wheel], root)
    run([*uv, "check", "--python", python], root)
    yield python.parent
    shutil.rmtree(root)


def test_the_wheel_holds_every_module_recipe_and_template_of_the_sources(wheel: Path) -> None:
    sources = {
        path.relative_to(REPOSITORY).as_posix()
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert len(sources) > 250
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == sources


def test_the_sdist_builds_by_itself_and_holds_no_recording_or_store(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = [member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()]
    assert {"pyproject.toml", "README.md", "LICENSE", "featurestore/store.py"} <= {*names}
    assert not [
        name for name in names if name.endswith((".wav", ".flac", ".npy", ".parquet", ".safetensors"))
    ]


def test_what_the_wheel_says_of_itself(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said = email.message_from_bytes(archive.read(path))
    assert said["Name"] == "ser-features"
    assert said["Description-Content-Type"] == "text/markdown"
    assert said["License-Expression"] == "Apache-2.0"
    asked = said.get_all("Requires-Dist") or []
    assert not [line for line in asked if " @ " in line]  # nothing from a path or URL
    assert {"dali", "demo", "serve", "mic", "onnx", "s3", "sftp", "hf"} <= {
        *(said.get_all("Provides-Extra") or [])
    }


def test_the_citation_names_this_version_and_licence(wheel: Path) -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said = email.message_from_bytes(archive.read(path))
    assert (citation["version"], citation["license"]) == (said["Version"], said["License-Expression"])


def test_every_command_answers_from_anywhere(home: Path, tmp_path: Path) -> None:
    version = run([home / "ser-features", "--version"], tmp_path).out.strip()
    for command in COMMANDS:
        assert run([home / command, "--version"], tmp_path).out.strip() == version
        assert "Usage" in run([home / command, "--help"], tmp_path).out


def test_recordings_become_a_model_that_tells_of_a_recording(home: Path, tmp_path: Path) -> None:
    run([home / "ser-features", "demo"], tmp_path)
    for second in (tmp_path / "corpora" / "demo").rglob("*_2.wav"):
        second.unlink()
    build = ("build", "--datasets", "demo", "--augment", "1", "--json")
    assert json.loads(run([home / "ser-features", *build], tmp_path).out)["datasets"]["demo"]["clips"] == 336
    train = ("--store", "features.zarr", "--model", "functionals", "--out", "runs", "--json")
    trained = json.loads(run([home / "ser-train", *train], tmp_path).out)
    assert trained["test"]["emotion"]["ua"] > 3 / 7
    (folder,) = (tmp_path / "runs").iterdir()
    clip = next((tmp_path / "corpora" / "demo").rglob("*.wav"))
    told = json.loads(run([home / "ser-predict", folder, clip, "--json"], tmp_path).out)
    assert told["clips"][0]["predictions"][0]["emotion"] in told["emotions"]


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("ser-demo", "runs"), "demo"),
        (("ser-serve", "runs"), "serve"),
        (("ser-export", "runs", "model.onnx"), "onnx"),
        (("ser-predict", "runs", "--microphone"), "mic"),
        (("ser-features", "info", "s3://bucket/store"), "s3"),
    ],
)
def test_what_an_extra_is_needed_for_says_which(
    command: tuple[str, ...], extra: str, home: Path, tmp_path: Path
) -> None:
    program, *arguments = command
    said = run([home / program, *arguments], tmp_path, expected=1)
    assert f"ser-features[{extra}]" in said.err


def test_a_program_that_uses_it_is_type_checked_against_it(home: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from featurestore.store import FeatureStore\n"
        "from training.predict.predictor import Predictor\n"
        "reveal_type(FeatureStore.open('a.zarr').manifest)\n"
        "reveal_type(Predictor.open('run').predict('a.wav').ranked)\n"
    )
    mypy = [sys.executable, "-m", "mypy", "--python-executable", home / "python", "--strict", program.name]
    said = run(mypy, tmp_path).out
    assert "list[tuple[str, float]]" in said
    assert "import-untyped" not in said
