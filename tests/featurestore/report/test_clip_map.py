"""The map of clips: PCA and separation against formulas, and the same picture every time."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.metrics import silhouette_score

from featurestore.progress import Silent
from featurestore.report.clip_map import FEWEST_CLIPS, ClipMap, map_clips, standardise
from featurestore.report.embeddings import examine_embeddings
from featurestore.report.map_charts import _srgb, colours_of, draw_map, spread_hues
from featurestore.report.sample import ClipSample
from featurestore.report.vectors import SampledVectors, middle_layer, read_states
from featurestore.store import FeatureStore

Doubles = npt.NDArray[np.float64]


def manifest(clips: int, speakers: int = 4) -> pd.DataFrame:
    index = np.arange(clips)
    return pd.DataFrame(
        {
            "clip_id": [f"c{i}" for i in index],
            "dataset": np.where(index % 2, "a", "b"),
            "emotion": np.array(["sad", "angry", "happy"])[index % 3],
            "gender": np.array(["female", "unknown", "male"])[index % 3],
            "speaker": [f"s{i % speakers}" for i in index],
            "sentence": np.array(["dogs", "", "kids", "dogs", ""])[index % 5],
        }
    )


def vectors(values: Doubles) -> SampledVectors:
    return SampledVectors("pooled", 2, ClipSample(np.arange(len(values)), len(values)), values)


@pytest.fixture(scope="module")
def values() -> Doubles:
    """(60, 9): emotions apart in some columns, and one column that never changes."""
    random = np.random.default_rng(0)
    found = random.standard_normal((60, 9)) * np.arange(1, 10) + 100
    found[:, :3] += 4 * (np.arange(60) % 3)[:, np.newaxis]
    found[:, 8] = 3.0
    return found


@pytest.fixture(scope="module")
def found(values: Doubles) -> ClipMap:
    return map_clips(vectors(values), manifest(60))


def test_pca_is_that_of_a_singular_value_decomposition(found: ClipMap, values: Doubles) -> None:
    changing = values[:, :8]
    standard = (changing - changing.mean(axis=0)) / changing.std(axis=0)
    left, sizes, _ = np.linalg.svd(standard, full_matrices=False)
    assert found.points is not None
    for component in range(2):
        expected = left[:, component] * sizes[component]
        own = found.points.pca[:, component]
        np.testing.assert_allclose(own * np.sign(own @ expected), expected, atol=1e-9)
    np.testing.assert_allclose(found.points.explained, (sizes**2 / (sizes**2).sum())[:2], rtol=1e-9)
    assert (found.width, found.points.components) == (9, 8)


def test_separation_is_that_of_the_plain_definitions(found: ClipMap, values: Doubles) -> None:
    rows, standard = manifest(60), standardise(values)
    assert found.points is not None
    by_kind = {grouping.kind: grouping for grouping in found.points.groupings}
    assert list(by_kind) == ["emotion", "gender", "speaker", "sentence", "corpus"]
    for kind, column in (("emotion", "emotion"), ("speaker", "speaker"), ("corpus", "dataset")):
        labels, separation = rows[column].tolist(), by_kind[kind].separation
        assert separation is not None
        assert separation.silhouette == pytest.approx(silhouette_score(standard, labels))
        assert separation.nearest == pytest.approx(nearest(standard, labels, range(60)))
        others = nearest(standard, labels, rows["speaker"].tolist())
        assert separation.other_speaker == (None if kind == "speaker" else pytest.approx(others))
        pairs = [labels[i] == labels[j] for i in range(60) for j in range(60) if i != j]
        assert separation.chance == pytest.approx(np.mean(pairs))


def nearest(standard: Doubles, labels: list[str], apart: Iterable[object]) -> float:
    """Share of clips whose nearest clip with another entry in ``apart`` has the same label."""
    keys, same = list(apart), []
    for i in range(len(labels)):
        others = [j for j in range(len(labels)) if keys[j] != keys[i]]
        closest = min(others, key=lambda j: np.linalg.norm(standard[i] - standard[j]))
        same.append(labels[closest] == labels[i])
    return float(np.mean(same))


@pytest.mark.parametrize(("kind", "unknown", "clips"), [("gender", "unknown", 40), ("sentence", "", 36)])
def test_clips_of_an_unknown_group_do_not_count(
    found: ClipMap, values: Doubles, kind: str, unknown: str, clips: int
) -> None:
    assert found.points is not None
    grouping = next(each for each in found.points.groupings if each.kind == kind)
    assert grouping.separation is not None
    assert (grouping.separation.groups, grouping.separation.clips) == (2, clips)
    known = (manifest(60)[kind] != unknown).to_numpy()
    labels = manifest(60)[kind][known]
    assert grouping.separation.silhouette == pytest.approx(
        silhouette_score(standardise(values)[known], labels)
    )


def test_the_same_vectors_give_the_same_map(found: ClipMap, values: Doubles) -> None:
    again = map_clips(vectors(values), manifest(60))
    assert found.points is not None
    assert again.points is not None
    np.testing.assert_array_equal(again.points.tsne, found.points.tsne)
    for first, second in zip(found.points.groupings, again.points.groupings, strict=True):
        assert draw_map(found.points, first) == draw_map(again.points, second)


def test_groups_that_are_far_apart_are_far_apart_on_the_map() -> None:
    random = np.random.default_rng(2)
    kinds = np.arange(90) % 3
    points = map_clips(
        vectors(random.standard_normal((90, 20)) + 9 * random.standard_normal((3, 20))[kinds]), manifest(90)
    ).points
    assert points is not None
    for places in (points.pca, points.tsne):
        assert silhouette_score(places, kinds) > 0.6
    assert points.groupings[0].separation is not None
    assert points.groupings[0].separation.other_speaker == 1.0


@pytest.mark.parametrize("clips", [0, 1, FEWEST_CLIPS - 1])
def test_few_clips_have_no_map(clips: int) -> None:
    found = map_clips(vectors(np.random.default_rng(0).standard_normal((clips, 5))), manifest(clips))
    assert (found.clips, found.points) == (clips, None)


def test_clips_that_are_all_the_same_have_no_map() -> None:
    assert map_clips(vectors(np.ones((50, 5))), manifest(50)).points is None


def test_one_speaker_and_one_changing_value_are_enough() -> None:
    line = np.concatenate([np.arange(12.0)[:, np.newaxis], np.ones((12, 3))], axis=1)
    points = map_clips(vectors(line), manifest(12, speakers=1)).points
    assert points is not None
    assert points.explained == (1.0, 0.0)
    assert np.isfinite(points.tsne).all()
    emotion, _, speaker, _, _ = points.groupings
    assert speaker.separation is None
    assert emotion.separation is not None
    assert emotion.separation.other_speaker is None


def test_the_map_of_a_store_is_by_the_middle_layer_of_its_first_encoder(encoder_store: Path) -> None:
    store = FeatureStore.open(encoder_store)
    found = examine_embeddings(store, Silent())
    assert [profile.feature for profile in found.layers] == ["pooled", "framed"]
    assert found.map is not None
    assert (found.map.feature, found.map.layer, found.map.clips) == ("pooled", 3, 112)
    stored = store.read(range(112), (0,), ("pooled",))["pooled"][0].astype(np.float64)
    width = store.spec.encoders[0].known_architecture.width
    used = middle_layer(read_states(store, store.spec.encoders[0], Silent())).vectors
    np.testing.assert_array_equal(used, stored.reshape(112, 2, 2, width)[:, 1, 0])


def test_the_map_of_a_store_without_encoders_is_by_its_mel_spectrograms(small_store: Path) -> None:
    store = FeatureStore.open(small_store)
    found = examine_embeddings(store, Silent())
    assert found.layers == ()
    assert found.map is not None
    assert (found.map.feature, found.map.layer, found.map.width) == ("mel", None, 32)
    mel = store.read(range(112), (0,), ("mel",))["mel"][0].astype(np.float64)
    lengths = store.valid_frames(range(112))[0]
    moments = np.stack(
        [
            np.concatenate([clip[:, :n].mean(axis=1), clip[:, :n].std(axis=1)])
            for clip, n in zip(mel, lengths, strict=True)
        ]
    )
    expected = map_clips(
        SampledVectors("mel", None, ClipSample(np.arange(112), 112), moments), store.manifest
    )
    assert found.map.points is not None
    assert expected.points is not None
    np.testing.assert_allclose(
        np.abs(found.map.points.pca), np.abs(expected.points.pca), rtol=1e-6, atol=1e-6
    )


def test_colours_of_speakers_are_colours_and_differ() -> None:
    for count in (1, 2, 24, 91):
        colours = spread_hues(count)
        assert len(set(colours)) == count
        saturations = [
            colorsys.rgb_to_hsv(*(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)))[1] for c in colours
        ]
        assert min(saturations) > 0.3


def test_colours_are_those_of_oklab() -> None:
    """Red of sRGB is (0.62796, 0.22486, 0.12585), and greys have no a and b."""
    assert _srgb(0.62796, 0.22486, 0.12585) == "#ff0000"
    assert _srgb(1.0, 0.0, 0.0) == "#ffffff"
    assert _srgb(0.0, 0.0, 0.0) == "#000000"


def test_every_group_has_a_colour(found: ClipMap) -> None:
    assert found.points is not None
    for grouping in found.points.groupings:
        assert set(grouping.labels) <= set(colours_of(grouping))
