"""The folder in which a new user makes mistakes: corpora, stores in all conditions, a run, odd recordings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import soundfile

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from schemas.overrides import override
from schemas.recipe import load_recipe
from tests.system.mistakes.stage_tables import write_tables
from training.runs.request import Hardware, TrainRequest
from training.train import train

_SPEAKERS = "(?P<speaker>s[0-9]+)_"

_DESCRIPTIONS = {
    "toml": "name = calls\n",
    "pattern": 'speaker = "(?P<speaker>s[0-9]+"\n',
    "group": 'speaker = "s[0-9]+_"\n',
    "emotion": '[emotions]\nangry = "anger"\n',
    "field": f'speakr = "{_SPEAKERS}"\n',
    "table": 'speakers = "speakers.csv"\n',
}
"""What is wrong with a ``corpus.toml`` → the file."""

_CHROMA = """name = "chroma"
[model]
name = "A"
[audio]
trim_db = 40.0
[[features]]
kind = "chroma"
"""


def set_stage(root: Path, demo: Path) -> None:
    """Fill ``root``, the current folder; ``demo`` is a corpora root with the demo voices."""
    shutil.copytree(demo / "demo", root / "corpora" / "demo")
    clips = sorted((root / "corpora" / "demo").rglob("*.wav"))
    _write_corpora(root, clips)
    _write_recordings(root, clips[0])
    _write_tables(root)
    write_tables(root, clips)
    (root / "typo.toml").write_text(_CHROMA + "[train]\nlearning_rate = 1e-3\n")
    (root / "broken.toml").write_text("name = mine\n")
    (root / "chroma.toml").write_text(_CHROMA)
    _build("features.zarr", "demo", augment=1)
    _build("calls.zarr", "calls=calls")
    _build("empty.zarr", "nothing=recordings/empty")
    shutil.copytree("features.zarr", "stopped.zarr", ignore=shutil.ignore_patterns("store.json"))
    shutil.copytree("calls.zarr", "busy.zarr")
    _write_newer("newer.zarr")
    _train("first")
    _build_heard()


def _write_corpora(root: Path, clips: list[Path]) -> None:
    (root / "downloads" / "ravdess").mkdir(parents=True)
    (root / "downloads" / "ravdess" / "Audio_Speech_Actors_01-24.zip").write_bytes(b"PK")
    song = root / "songs" / "ravdess" / "Actor_01" / "03-02-01-01-01-01-01.wav"
    _copy(clips[0], song)
    for i, clip in enumerate(clips[:4]):
        _copy(clip, root / "calls" / "angry" / f"call{i}.wav")
    _copy(clips[0], root / "takes" / "monday" / "take1.wav")
    for name, text in _DESCRIPTIONS.items():
        _copy(clips[0], root / "described" / name / "angry" / "s1_a.wav")
        (root / "described" / name / "corpus.toml").write_text(text)


def _write_recordings(root: Path, clip: Path) -> None:
    shutil.copyfile(clip, root / "clip.wav")
    (root / "notes.txt").write_text("What was said.\n")
    folder = root / "recordings"
    for emotion in ("angry", "happy"):
        (folder / "empty" / emotion).mkdir(parents=True)
        (folder / "empty" / emotion / "a.wav").touch()
    for name, content in {
        "empty.wav": b"",
        "page.wav": b"<!DOCTYPE html><title>Not found</title>" * 5,
        "cut.wav": clip.read_bytes()[:3000],
    }.items():
        place = folder / "bad" / "angry" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    soundfile.write(folder / "short.wav", np.random.default_rng(0).normal(0, 0.1, 400), 22050)
    soundfile.write(folder / "silent.wav", np.zeros(22050), 22050)
    (root / "emptied").mkdir()


def _write_tables(root: Path) -> None:
    """Tables of features that cannot be imported."""
    (root / "tables").mkdir()
    for name, text in {
        "words": "file;emotion;F0\ncall0.wav;angry;1.5\n",
        "others": "file,F0\ntake1.wav,1.5\n",
        "twice": "file,F0\ncall0.wav,1.5\ncall1.wav,1\ncall0.wav,1.4\n",
        "large": "file,F0\ncall0.wav,1e6\n",
        "nameless": "recording,F0\ncall0.wav,1.5\n",
    }.items():
        (root / "tables" / f"{name}.csv").write_text(text)


def _write_newer(name: str) -> None:
    shutil.copytree("calls.zarr", name)
    document = Path(name) / "store.json"
    content = json.loads(document.read_text(encoding="utf-8"))
    document.write_text(json.dumps({**content, "format_version": 99}), encoding="utf-8")
    root = Path(name) / "zarr.json"
    group = json.loads(root.read_text(encoding="utf-8"))
    group["attributes"]["format_version"] = 99
    root.write_text(json.dumps(group), encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _build(store: str, datasets: str, augment: int = 0) -> None:
    build(BuildRequest(store, Path("corpora"), datasets, SpecRequest(augment=augment)))


def _build_heard() -> None:
    """A store of speakers that the run was trained on."""
    record = json.loads(Path("runs/first/run.json").read_text(encoding="utf-8"))
    for speaker in record["heard"][:2]:
        voice = speaker.removeprefix("demo/")
        shutil.copytree(Path("corpora/demo") / voice, Path("heard/demo") / voice)
    _build("heard.zarr", "demo=heard/demo")


def _train(name: str) -> None:
    recipe = override(load_recipe("four-corpora-a"), ["model.name=functionals", "datasets=null"])
    train(TrainRequest("features.zarr", recipe, output=Path("runs"), name=name, hardware=Hardware("cpu")))
