"""Copies under other names, found in stores of recordings."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from schemas.protocol import SplitSpec
from training.audits.near_duplicates import SAME_DB, Fingerprints, near_duplicates
from training.splits.choose import splits_of
from training.splits.split import Split

Audio = NDArray[np.float64]


def _write(path: Path, audio: Audio, rate: int, **options: object) -> None:
    soundfile.write(path, audio, rate, **options)


def _mp3(path: Path, audio: Audio, rate: int) -> None:
    _write(path, soxr.resample(audio, rate, 44100), 44100, format="MP3", compression_level=0.9)


def _padded(path: Path, audio: Audio, rate: int) -> None:
    hiss = 1e-4 * np.random.default_rng(0).normal(size=int(0.37 * rate))
    _write(path, np.concatenate([hiss, audio, np.zeros(int(0.2 * rate))]), rate)


def _noisy(path: Path, audio: Audio, rate: int) -> None:
    noise = np.random.default_rng(0).normal(size=len(audio)) * np.sqrt((audio**2).mean()) * 10 ** (-30 / 20)
    _write(path, audio + noise, rate)


COPIES: dict[str, tuple[str, Callable[[Path, Audio, int], None]]] = {
    "vorbis": ("ogg", lambda path, audio, rate: _write(path, audio, rate, format="OGG", subtype="VORBIS")),
    "mp3": ("mp3", _mp3),
    "telephone": ("wav", lambda path, audio, rate: _write(path, soxr.resample(audio, rate, 8000), 8000)),
    "quiet": ("wav", lambda path, audio, rate: _write(path, audio * 0.1, rate)),
    "padded": ("wav", _padded),
    "cut": ("wav", lambda path, audio, rate: _write(path, audio[int(0.02 * rate) :], rate)),
    "noisy": ("wav", _noisy),
}


def copy_all(originals: list[Path], folder: Path) -> None:
    """A folder corpus with every kind of copy of ``originals``, all by one speaker."""
    for original in originals:
        audio, rate = soundfile.read(original, always_2d=True)
        for kind, (suffix, make) in COPIES.items():
            path = folder / "happy" / f"{kind}_{original.stem}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path, audio.mean(axis=1), rate)


def crossed(store: FeatureStore) -> Split:
    """Trained on the originals, tested on the copies."""
    spec = SplitSpec(protocol="cross-corpus", test_corpora=("copies",))
    (split,) = splits_of(store.manifest, spec, 0)
    return split


@pytest.fixture(scope="module")
def copied(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """Store of one clip of each of 16 demo voices, and of copies of the first four."""
    root = tmp_path_factory.mktemp("copied")
    voices = [min(folder.glob("*_happy_*.wav")) for folder in sorted((small_demo / "demo").iterdir())]
    for voice in voices:
        target = root / "demo" / voice.parent.name / voice.name
        target.parent.mkdir(parents=True)
        shutil.copyfile(voice, target)
    copy_all(voices[:4], root / "copies")
    datasets = f"demo,copies={root / 'copies'}"
    build(BuildRequest(root / "s.zarr", root, datasets, SpecRequest(augment=0, features="mel,mfcc")))
    return FeatureStore.open(root / "s.zarr")


def test_every_copy_is_found_and_nothing_else(copied: FeatureStore) -> None:
    split = crossed(copied)
    found = near_duplicates(copied, split)
    assert found is not None
    assert list(found) == sorted(found)
    originals = {clip.split("/")[-1].split("_happy")[0]: clip for clip in split.train + split.validation}
    expected = {
        (clip, original)
        for clip in split.test
        for voice, original in originals.items()
        if voice == clip.split("/")[-1].split("_", 1)[1].split("_happy")[0]
    }
    assert len(expected) == 28
    assert {(pair.clip_a, pair.clip_b) for pair in found} == expected
    assert max(pair.difference_db for pair in found) < SAME_DB


def test_copies_on_one_side_are_none(copied: FeatureStore) -> None:
    manifest = copied.manifest
    demo = manifest[manifest["dataset"] == "demo"]
    (split,) = splits_of(demo, SplitSpec(), 0)
    assert near_duplicates(copied, split) == ()


def test_several_splits_are_searched_with_one_set_of_fingerprints(copied: FeatureStore) -> None:
    folds = splits_of(copied.manifest, SplitSpec.model_validate({"protocol": "kfold:3"}), 0)
    fingerprints = Fingerprints.of(copied, *folds)
    for fold in folds:
        assert fingerprints.across(fold) == near_duplicates(copied, fold)
    assert any(fingerprints.across(fold) for fold in folds)


def test_a_store_without_spectra_is_not_called_clean(copied: FeatureStore, tmp_path: Path) -> None:
    corpora = Path(str(copied.place)).parent
    build(BuildRequest(tmp_path / "rms.zarr", corpora, "demo", SpecRequest(augment=0, features="rms")))
    store = FeatureStore.open(tmp_path / "rms.zarr")
    (split,) = splits_of(store.manifest, SplitSpec(), 0)
    assert near_duplicates(store, split) is None


@pytest.mark.slow
def test_real_voices_that_say_the_same_are_told_apart_and_their_copies_found(
    real_corpora: Path, tmp_path: Path
) -> None:
    """Four RAVDESS actors: the same sentence and emotion twice each; of actor 7 once in the same file."""
    for actor in ("Actor_01", "Actor_02", "Actor_07", "Actor_08"):
        shutil.copytree(real_corpora / "ravdess" / actor, tmp_path / "ravdess" / actor)
    originals = sorted(tmp_path.glob("ravdess/*/03-01-05-02-01-0?-*.*"))
    copy_all(originals, tmp_path / "copies")
    datasets = f"ravdess,copies={tmp_path / 'copies'}"
    build(BuildRequest(tmp_path / "s.zarr", tmp_path, datasets, SpecRequest(augment=0, features="mel")))
    store = FeatureStore.open(tmp_path / "s.zarr")
    found = near_duplicates(store, crossed(store)) or ()
    assert {(pair.clip_a.split("_", 1)[1], pair.clip_b) for pair in found} == {
        (original.stem, f"ravdess/{original.stem}") for original in originals
    }
    assert len(found) == len(COPIES) * len(originals)
    ravdess = store.manifest[store.manifest["dataset"] == "ravdess"]
    for seed in range(5):
        (split,) = splits_of(ravdess, SplitSpec(protocol="random", test=0.4, validation=0.2), seed)
        assert near_duplicates(store, split) == ()
