from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from featurestore.store import FeatureStore
from schemas.errors import RunError
from training.loader.ram import read_samples
from training.normalise import Normalisation, Normaliser, normalisation_of
from training.samples import cross

FEATURES = ("mel", "mfcc", "rms", "zcr")


def test_training_set_has_mean_0_and_deviation_1_in_every_coefficient(demo_store: Path) -> None:
    store = FeatureStore.open(demo_store)
    speakers = sorted(store.manifest["speaker"].unique())[3:9]
    clips = np.flatnonzero(store.manifest["speaker"].isin(speakers))
    views = (0, 2, 5)
    normaliser = Normaliser(normalisation_of(store, speakers, views, FEATURES))
    source = read_samples(
        store, cross(clips, np.zeros_like(clips), views), FEATURES, *[torch.device("cpu")] * 2
    )
    batch = source.gather(np.arange(len(source)))
    normal = normaliser(batch.features, batch.valid_frames)[:, 0]
    valid = torch.arange(normal.shape[-1]) < batch.valid_frames[:, None]
    frames = normal.transpose(1, 2)[valid].double()
    assert len(frames) == int(batch.valid_frames.sum())
    torch.testing.assert_close(frames.mean(dim=0), torch.zeros(170).double(), rtol=0, atol=1e-4)
    torch.testing.assert_close(frames.std(dim=0, correction=0), torch.ones(170).double(), rtol=1e-4, atol=0)
    assert (normal.transpose(1, 2)[~valid] == 0).all()


def test_other_speakers_and_views_do_not_enter(demo_store: Path) -> None:
    store = FeatureStore.open(demo_store)
    speakers = sorted(store.manifest["speaker"].unique())
    one = normalisation_of(store, speakers[:4], (0,), FEATURES)
    clips = np.flatnonzero(store.manifest["speaker"].isin(speakers[:4]))
    valid = store.valid_frames(clips)[0]
    mel = store.read(clips, features=("mel",))["mel"][0].astype(np.float64)
    frames = np.concatenate([clip[:, :n] for clip, n in zip(mel, valid, strict=True)], axis=1)
    np.testing.assert_allclose(one.mean[:128], frames.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(one.std[:128], frames.std(axis=1), rtol=1e-5)


def test_features_are_stacked_in_the_order_asked_for(demo_store: Path) -> None:
    store = FeatureStore.open(demo_store)
    speakers = store.manifest["speaker"].unique()
    both = normalisation_of(store, speakers, (0,), ("mel", "zcr"))
    swapped = normalisation_of(store, speakers, (0,), ("zcr", "mel"))
    np.testing.assert_array_equal(np.roll(both.mean, 1), swapped.mean)


def test_padded_frames_become_0_whatever_they_held() -> None:
    normaliser = Normaliser(Normalisation(np.full(3, 2, np.float32), np.full(3, 4, np.float32)))
    features = torch.full((2, 1, 3, 5), 6.0, dtype=torch.float16)
    features[0, :, :, 2:] = float("nan")
    normal = normaliser(features, torch.tensor([2, 5]))
    assert normal.dtype == torch.float32
    assert (normal[0, 0, :, :2] == 1).all()
    assert (normal[0, 0, :, 2:] == 0).all()
    assert (normal[1] == 1).all()


def test_a_coefficient_that_never_varies_is_only_centred(demo_store: Path) -> None:
    normaliser = Normaliser(Normalisation(np.array([5.0], np.float32), np.array([1.0], np.float32)))
    assert (normaliser(torch.full((1, 1, 1, 4), 5.0), torch.tensor([4])) == 0).all()

    class Constant:
        """A store whose only feature is constant."""

        def statistics(self, speakers: object, views: object) -> dict[str, object]:
            from featurestore.statistics import Statistics

            return {"rms": Statistics(9, np.array([5.0]), np.array([0.0]))}

    found = normalisation_of(Constant(), ["x"], (0,), ("rms",))  # type: ignore[arg-type]
    assert found.std.tolist() == [1.0]


def test_normalisation_survives_its_file(tmp_path: Path) -> None:
    before = Normalisation(np.array([1.5, -2], np.float32), np.array([1, 3], np.float32))
    before.save(tmp_path / "n.safetensors")
    after = Normalisation.load(tmp_path / "n.safetensors")
    np.testing.assert_array_equal(after.mean, before.mean)
    np.testing.assert_array_equal(after.std, before.std)
    (tmp_path / "n.safetensors").write_bytes(b"no")
    with pytest.raises(RunError, match="cannot be read"):
        Normalisation.load(tmp_path / "n.safetensors")
