"""The stage on which a page is played: a folder with corpora, stores and a run.

The recordings are the demo voices. ``corpora/ravdess`` and ``corpora/tess`` hold some of them under the names
of those corpora, so that pages that build them run on every machine in seconds. As in the real RAVDESS, two
files are the same.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from tests.docs.commands import Command, Running
from tests.servers.s3 import AWS

_RAVDESS = ("neutral", "", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""Emotions 01 to 08; the demo voices are never calm."""
_TESS = {"angry": "angry", "disgust": "disgust", "fearful": "fear", "happy": "happy", "neutral": "neutral"}
_TESS |= {"sad": "sad", "surprised": "ps"}
_WORDS = {"back": ("s1", 2), "bar": ("s2", 2), "base": ("s3", 1)}
_OF_SHELL = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SER_CACHE", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Stage:
    """A folder; each page is played in a copy of it."""

    folder: Path

    def copy_for(self, page: Path, to: Path) -> Path:
        """Make a copy for one page. Recordings are links, and stores that the page builds are left out."""
        built = re.findall(r"\bser-features build\b.*--out (\S+\.zarr)\b", page.read_text(encoding="utf-8"))
        shutil.copytree(
            self.folder, to, copy_function=_link_recordings, ignore=shutil.ignore_patterns(*built)
        )
        return to


def make_stage(folder: Path, demo: Path, environment: Mapping[str, str]) -> Stage:
    """Create a stage in ``folder``. ``demo`` is a corpora folder with the complete demo corpus."""
    voices = demo / "demo"
    folder.mkdir(parents=True)
    shutil.copytree(voices, folder / "corpora" / "demo", copy_function=os.link)
    _lay_ravdess(voices, folder / "corpora" / "ravdess")
    _lay_tess(voices, folder / "corpora" / "tess")
    _lay_calls(voices, folder / "data" / "calls")
    shutil.copyfile(voices / "f03" / "f03_s2_happy_1.wav", folder / "clip.wav")
    _lay_interview(voices, folder / "interview.flac")
    for text in (
        "ser-features build --datasets ravdess,tess --augment 6 --out features.zarr",
        "ser-features pull features.zarr ravdess.zarr --datasets ravdess",
        "ser-train --store ravdess.zarr --model A --views 0 --epochs 1",
    ):
        printed = Running.start(Command("the stage", text), text, folder, environment).wait()
        assert printed.status == 0, f"{text}\n{printed.text}"
    return Stage(folder)


def save_encoders(folder: Path) -> None:
    """Save small encoders with random weights under the names that pages use."""
    from tests.pipelines.encoders.saved import KINDS, make_network, save

    for name, blocks in {"whisper-base": 6, "whisper-tiny.en": 4}.items():
        settings = {**KINDS["whisper"].settings, "encoder_layers": blocks, "max_source_positions": 1500}
        save(make_network(replace(KINDS["whisper"], settings=settings)), folder / name)


def environment_of(home: Path, s3_address: str) -> dict[str, str]:
    """Return variables for commands: the interpreter's programs first, and only the test server's keys."""
    own = f"{sysconfig.get_path('scripts')}{os.pathsep}{Path(sys.executable).parent}"
    kept = {name: os.environ[name] for name in _OF_SHELL if name in os.environ}
    return {
        **kept,
        **AWS,
        "AWS_ENDPOINT_URL": s3_address,
        "PATH": f"{own}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "HOME": str(home),
        "SER_MODELS": str(home / "encoders"),
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _lay_ravdess(voices: Path, root: Path) -> None:
    for actor in range(1, 25):
        place, letter = (actor - 1) // 2, "m" if actor % 2 else "f"
        speaker, first = f"{letter}{place % 8 + 1:02d}", place < 8
        (root / f"Actor_{actor:02d}").mkdir(parents=True)
        for code, emotion in enumerate(_RAVDESS, 1):
            calm = "s3_neutral_1" if first else "s3_neutral_2"
            said = f"{'s1' if first else 's2'}_{emotion}_1" if emotion else calm
            angry = emotion == "angry"  # of all actors there is 03-01-05-02-01-01-NN
            statement = 1 if angry else 1 + (code + actor) % 2
            name = f"03-01-{code:02d}-{1 + angry:02d}-{statement:02d}-01-{actor:02d}.wav"
            os.link(voices / speaker / f"{speaker}_{said}.wav", root / f"Actor_{actor:02d}" / name)
    twin = root / "Actor_07" / "03-01-03-01-02-01-07.wav"
    if not twin.exists():
        (root / "Actor_07" / "03-01-03-01-01-01-07.wav").rename(twin)
    os.link(twin, twin.with_name("03-01-03-01-02-02-07.wav"))
    if not (clip := root / "Actor_01" / "03-01-01-01-01-01-01.wav").exists():
        clip.with_name("03-01-01-01-02-01-01.wav").rename(clip)


def _lay_tess(voices: Path, root: Path) -> None:
    root.mkdir(parents=True)
    for speaker, voice in (("OAF", "f01"), ("YAF", "f02")):
        for word, (sentence, repetition) in _WORDS.items():
            for emotion, written in _TESS.items():
                said = voices / voice / f"{voice}_{sentence}_{emotion}_{repetition}.wav"
                if (sentence, emotion) != ("s3", "neutral"):  # those are the calm ones of RAVDESS
                    os.link(said, root / f"{speaker}_{word}_{written}.wav")


def _lay_calls(voices: Path, root: Path) -> None:
    for voice, name in (("f03", "anna"), ("m03", "ben")):
        for emotion in ("angry", "happy", "sad"):
            (root / emotion).mkdir(parents=True, exist_ok=True)
            os.link(voices / voice / f"{voice}_s1_{emotion}_1.wav", root / emotion / f"{name}_001.wav")


def _lay_interview(voices: Path, file: Path) -> None:
    clips = [soundfile.read(path) for path in sorted((voices / "m02").glob("*_s3_*_1.wav"))]
    soundfile.write(file, np.concatenate([samples for samples, _ in clips]), clips[0][1])


def _link_recordings(source: str, target: str) -> None:
    if source.endswith((".wav", ".flac")):
        os.link(source, target)
    else:
        shutil.copy2(source, target)
