"""A store of six small corpora. What a model of one hears in another is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from schemas.overrides import override
from schemas.recipe import Recipe, parse_recipe
from tests.once import Once
from tests.tiny_store import TINY_RECIPE, Builder
from training.plan import make

RATE = 8000


@pytest.fixture(autouse=True, scope="package")
def without_near_duplicates() -> Iterator[None]:
    """Clips are too short to differ in rhythm; searching for copies would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "near_duplicates", lambda *_: ())
        yield


TONES = {"angry": 300.0, "happy": 700.0, "sad": 1500.0, "neutral": 3000.0}
SWAPPED = {**TONES, "angry": TONES["happy"], "happy": TONES["angry"]}

Sound = Callable[[str, np.random.Generator], np.ndarray]


def recipe(*changes: str) -> Recipe:
    """A recipe for the store that trains in a moment."""
    own = [
        "model.name=functionals-lda",
        "labels.target=emotion",
        "train.views=[0]",
        "split.folds=2",
    ]
    return override(parse_recipe(TINY_RECIPE, "tiny"), [*own, *changes])


@pytest.fixture(scope="session")
def differing_store(tiny_build: Builder, once: Once) -> Path:
    """Six corpora. Shared: do not change it.

    ``alpha`` (3 speakers) and ``beta`` (2 speakers, without neutral) have one tone per emotion. ``gamma`` (4
    speakers, without neutral) has those of anger and happiness swapped. ``plain`` has only neutral and bored
    clips. ``near`` and ``far`` (2 speakers each) have loud anger and quiet sadness, and all of ``far`` is
    quieter than any of ``near``.
    """

    def fill(out: Path) -> None:
        root = out.with_name(f"{out.name}-corpora")
        _write(root, "alpha", 3, {name: _tone(hz) for name, hz in TONES.items()})
        _write(root, "beta", 2, {name: _tone(TONES[name]) for name in ("angry", "happy", "sad")})
        _write(root, "gamma", 4, {name: _tone(SWAPPED[name]) for name in ("angry", "happy", "sad")})
        _write(root, "plain", 2, {"neutral": _tone(TONES["neutral"]), "bored": _tone(2000.0)})
        _write(root, "near", 2, {"angry": _noise(-8), "sad": _noise(-20)})
        _write(root, "far", 2, {"angry": _noise(-32), "sad": _noise(-44)})
        names = ("alpha", "beta", "gamma", "plain", "near", "far")
        tiny_build(out, root, ",".join(f"{name}={root / name}" for name in names))

    return once("differing.zarr", fill)


def _write(root: Path, corpus: str, speakers: int, sounds: Mapping[str, Sound], clips: int = 4) -> None:
    rng = np.random.default_rng(sum(map(ord, corpus)))
    for emotion, sound in sounds.items():
        folder = root / corpus / emotion
        folder.mkdir(parents=True)
        for speaker in range(1, speakers + 1):
            for clip in range(clips):
                path = folder / f"s{speaker}_{clip}.wav"
                sf.write(path, sound(emotion, rng).astype(np.float32), RATE, subtype="FLOAT")
    (root / corpus / "corpus.toml").write_text('speaker = "/(?P<speaker>s[0-9])_"\n')


def _tone(hz: float) -> Sound:
    def make(_: str, rng: np.random.Generator) -> np.ndarray:
        time = np.arange(RATE // 2) / RATE
        tone = np.sin(2 * np.pi * hz * rng.uniform(0.97, 1.03) * time) + rng.normal(0, 1e-3, len(time))
        return rng.uniform(0.1, 0.5) * _rhythm(rng) * tone

    return make


def _noise(decibels: float) -> Sound:
    def make(_: str, rng: np.random.Generator) -> np.ndarray:
        level = 10 ** ((decibels + rng.uniform(-2, 2)) / 20)
        return level * _rhythm(rng) * rng.uniform(-1, 1, RATE // 2)

    return make


def _rhythm(rng: np.random.Generator) -> np.ndarray:
    """Loudness of each of ten parts of a clip, so that no clip sounds like another; mean power 1."""
    parts = 10 ** (rng.permutation(np.linspace(-20, 0, 10)) / 20)
    return np.repeat(parts / np.sqrt(np.square(parts).mean()), RATE // 20)
