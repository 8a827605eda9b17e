"""Norms and similarity of layers, against formulas on the values that the store gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import featurestore.report.layers as layers
import featurestore.report.vectors as vectors
from featurestore.progress import Silent
from featurestore.report.layers import linear_cka, profile_layers
from featurestore.report.vectors import read_states
from featurestore.store import FeatureStore
from schemas.errors import StoreDamagedError

Doubles = npt.NDArray[np.float64]


def plain_cka(x: Doubles, y: Doubles) -> float:
    """Linear CKA by the covariances of features (Kornblith et al. 2019, section 3)."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    cross = np.linalg.norm(y.T @ x) ** 2
    return float(cross / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


@pytest.fixture(scope="module")
def states() -> Doubles:
    """(clip, layer, width): 40 clips, 3 layers, each a noisy map of the one before."""
    random = np.random.default_rng(3)
    found = [random.standard_normal((40, 12)) + 5]
    for noise in (0.5, 2.0):
        turned = found[-1] @ random.standard_normal((12, 12))
        found.append(turned + noise * random.standard_normal((40, 12)))
    return np.stack(found, axis=1)


def test_cka_is_that_of_the_formula(states: Doubles) -> None:
    similarity = linear_cka(states)
    for i in range(3):
        for j in range(3):
            assert similarity[i, j] == pytest.approx(plain_cka(states[:, i], states[:, j]), rel=1e-5)
    assert similarity.max() <= 1
    np.testing.assert_allclose(np.diag(similarity), 1, rtol=1e-12)
    np.testing.assert_array_equal(similarity, similarity.T)


def test_cka_does_not_depend_on_rotation_scale_and_origin(states: Doubles) -> None:
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((12, 12)))[0]
    other = np.stack([states[:, 0], 1e4 * states[:, 0] @ turn - 7, 1e-4 * states[:, 2] @ turn], axis=1)
    similarity = linear_cka(other)
    assert similarity[0, 1] == pytest.approx(1, abs=1e-6)
    assert similarity[0, 2] == pytest.approx(linear_cka(states)[0, 2], rel=1e-4)


def test_layers_without_anything_in_common_are_not_similar() -> None:
    random = np.random.default_rng(5)
    assert linear_cka(random.standard_normal((3000, 2, 4)))[0, 1] < 0.01


def test_tiles_of_any_size_give_the_same(states: Doubles, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = linear_cka(states)
    monkeypatch.setattr(layers, "TILE_BYTES", 1)
    np.testing.assert_allclose(linear_cka(states), whole, rtol=1e-6)


def test_a_layer_that_is_the_same_for_all_clips_has_no_similarity(states: Doubles) -> None:
    states = states.copy()
    states[:, 1] = states[0, 1]
    similarity = linear_cka(states)
    assert np.isnan(similarity[1]).all()
    assert np.isfinite(similarity[0, 2])
    assert np.isnan(linear_cka(states[:1])).all()
    assert np.isnan(linear_cka(states[:0])).all()


@pytest.mark.parametrize("name", ["pooled", "framed"])
@pytest.mark.parametrize("block", [1, 2**30])
def test_norms_are_those_of_what_the_store_gives(
    encoder_store: Path, name: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "MOST_BLOCK_BYTES", block)
    store = FeatureStore.open(encoder_store)
    encoder = next(each for each in store.spec.encoders if each.name == name)
    width, every = encoder.known_architecture.width, range(len(store.manifest))
    stored = store.read(every, (0,), (name,))[name][0].astype(np.float64)
    if name == "pooled":  # layers × (mean, std) × width
        mean = stored.reshape(len(stored), 2, 2, width)[:, :, 0]
    else:
        lengths = store.valid_frames(every, (0,), name)[0]
        mean = np.stack([clip[:, :n].mean(axis=1) for clip, n in zip(stored, lengths, strict=True)]).reshape(
            len(stored), 1, width
        )
    profile = profile_layers(read_states(store, encoder, Silent()))
    assert (profile.feature, profile.layers, profile.width) == (name, encoder.layers, width)
    assert profile.clips == profile.usable == len(stored) == 112
    norms = np.linalg.norm(mean, axis=2)
    np.testing.assert_allclose(profile.norm_mean, norms.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(profile.norm_std, norms.std(axis=0), rtol=1e-4)
    if name == "pooled":
        assert profile.similarity[0, 1] == pytest.approx(plain_cka(mean[:, 0], mean[:, 1]), rel=1e-4)


def test_a_sample_shrinks_with_the_width_of_the_states(
    encoder_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore.open(encoder_store)
    encoder = store.spec.encoders[0]
    clip = 4 * 2 * encoder.known_architecture.width
    monkeypatch.setattr(vectors, "MOST_STATE_BYTES", 20 * clip)
    states = read_states(store, encoder, Silent())
    assert states.means.nbytes == 20 * clip
    assert states.sample.usable == 112


def test_numbers_that_are_not_finite_are_refused(
    encoder_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore.open(encoder_store)
    read = FeatureStore.read

    def broken(self: FeatureStore, *arguments: Any) -> dict[str, npt.NDArray[np.floating]]:
        found = read(self, *arguments)
        found["pooled"][0, 5, 3] = np.nan
        return found

    monkeypatch.setattr(FeatureStore, "read", broken)
    clip = store.manifest["clip_id"].iloc[5]
    with pytest.raises(StoreDamagedError, match=rf"pooled of the usable clip {clip} .* is not finite"):
        read_states(store, store.spec.encoders[0], Silent())
