"""Stores to report on: small, and with what can be missing missing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from featurestore.report import clip_map
from tests import commands
from tests.blank_pictures import draw_blank

RECIPE = """
name = "reported"
[audio]
sample_rate = 8000
duration_s = 1.0
trim_db = 40.0
[spectral]
n_fft = 256
hop_length = 128
{features}
[[views]]
name = "noise"
kind = "noise"
snr_db = [10.0, 30.0]
[[views]]
name = "later"
kind = "shift"
fraction = [0.1, 0.3]
[[views]]
name = "fast"
kind = "speed"
factor = 1.25
[model]
name = "A"
"""
MEL = '[[features]]\nkind = "mel"\nn_mels = 24\n'
MFCC = '[[features]]\nkind = "mfcc"\nn_mfcc = 10\nn_mels = 24\n'
RMS = '[[features]]\nkind = "rms"\n'

MakeStore = Callable[..., Path]


@pytest.fixture(scope="module", autouse=True)
def short_maps() -> Iterator[None]:
    """t-SNE takes as few steps as scikit-learn allows: half the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clip_map, "ITERATIONS", 250)
        yield


@pytest.fixture
def blank() -> Iterator[None]:
    """Pictures of the test are empty, for it does not look at them."""
    with draw_blank():
        yield


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory, whole_demo: Path) -> MakeStore:
    """Path of a new store: (datasets="demo", features=MEL + MFCC, corpora=whole demo, **options)."""

    def run(
        datasets: str = "demo", features: str = MEL + MFCC, corpora: Path = whole_demo, **options: Any
    ) -> Path:
        folder = tmp_path_factory.mktemp("reported")
        (folder / "recipe.toml").write_text(RECIPE.format(features=features))
        spec = SpecRequest(recipe=str(folder / "recipe.toml"), **options)
        build(BuildRequest(folder / "made.zarr", corpora, datasets, spec))
        return folder / "made.zarr"

    return run


@pytest.fixture(scope="session")
def two_corpora(whole_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpora root: the demo voices, and ``own``: few clips, no speakers, one bad, and all bored ones bad."""
    root = tmp_path_factory.mktemp("two")
    (root / "demo").symlink_to(whole_demo / "demo")
    random = np.random.default_rng(7)
    for emotion, count in (("angry", 5), ("sad", 3), ("bored", 2)):
        folder = root / "own" / emotion
        folder.mkdir(parents=True)
        for index in range(count):
            seconds = 0.4 + 0.1 * index
            sound = 0.2 * random.standard_normal(round(seconds * 16000))
            soundfile.write(folder / f"{index}.wav", sound, 16000)
    shutil.copyfile(__file__, root / "own" / "angry" / "broken.wav")
    for path in (root / "own" / "bored").iterdir():
        path.write_bytes(b"")
    return root


@pytest.fixture(scope="session")
def store(make: MakeStore, two_corpora: Path) -> Path:
    """672 clips of the demo and 11 of ``own``, of which 3 are bad; 4 views. Shared: do not change it."""
    return make(f"demo,own={two_corpora / 'own'}", corpora=two_corpora)


def run(*arguments: str | Path, cwd: Path, status: int = 0) -> commands.Completed:
    """``ser-features report`` in ``cwd``."""
    return commands.run("ser-features", "report", *arguments, cwd=cwd, status=status)


def words(page: Path) -> str:
    """What a reader sees of a page, without pictures."""
    text = re.sub(r"<(style|head).*?</\1>", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())
