from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from featurestore.store import FeatureStore
from training.baseline.functionals import RUN, functionals_of, read_functionals
from training.samples import Samples, cross

ORACLE = {
    "mean": np.mean,
    "std": np.std,
    "min": np.min,
    "max": np.max,
    "p10": lambda x: np.percentile(x, 10),
    "p50": np.median,
    "p90": lambda x: np.percentile(x, 90),
    "slope": lambda x: scipy.stats.linregress(np.arange(len(x)), x).slope if len(x) > 1 else 0.0,
}
ALL = tuple(ORACLE)


def by_loops(features: np.ndarray, valid: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """One clip, coefficient and functional at a time."""
    rows = [
        [ORACLE[name](row[:frames].astype(np.float64)) for name in names for row in clip]
        for clip, frames in zip(features, valid, strict=True)
    ]
    return np.array(rows)


@settings(deadline=None, max_examples=40)
@given(
    features=hnp.arrays(
        np.float32, st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 12)),
        elements=st.floats(-100, 100, width=32),
    ),
    data=st.data(),
)  # fmt: skip
def test_functionals_are_those_of_numpy_and_scipy(features: np.ndarray, data: st.DataObject) -> None:
    clips, _, frames = features.shape
    valid = np.array([data.draw(st.integers(1, frames)) for _ in range(clips)])
    found = functionals_of(features, valid, ALL)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_loops(features, valid, ALL), rtol=1e-4, atol=1e-4)


def test_what_stands_in_padded_frames_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    features, valid = rng.normal(size=(3, 4, 9)).astype(np.float16), np.array([9, 4, 1])
    junk = np.where(np.arange(9) < valid[:, None, None], features, np.float16(np.nan))
    found = functionals_of(junk, valid, ALL)
    np.testing.assert_array_equal(found, functionals_of(features, valid, ALL))
    assert np.isfinite(found).all()


def test_a_clip_without_valid_frames_is_taken_to_have_one() -> None:
    features = np.ones((1, 2, 5), dtype=np.float32)
    np.testing.assert_array_equal(
        functionals_of(features, np.array([0]), ALL), functionals_of(features, np.array([1]), ALL)
    )


@pytest.fixture(scope="module")
def store(demo_store: Path) -> FeatureStore:
    return FeatureStore.open(demo_store)


def test_a_table_is_read_in_the_samples_order(store: FeatureStore) -> None:
    """Views mixed and clips neither ascending nor each once, as a split may have them."""
    rng = np.random.default_rng(1)
    clips, views = rng.integers(0, len(store.manifest), 40), rng.integers(0, 3, 40)
    samples = Samples(clips, views, rng.integers(0, 7, 40))
    names = ("slope", "p90")
    table = read_functionals(store, samples, ("zcr", "mfcc"), names)
    for i in range(40):
        arrays = store.read([clips[i]], (views[i],), ("zcr", "mfcc"))
        both = np.concatenate([arrays["zcr"][0], arrays["mfcc"][0]], axis=1)
        frames = store.valid_frames([clips[i]], (views[i],))[0]
        np.testing.assert_allclose(table.values[i], by_loops(both, frames, names)[0], rtol=1e-3, atol=1e-3)
    assert table.targets is samples.targets
    assert table.columns[:2] == ("zcr[0] slope", "mfcc[0] slope")
    assert table.columns[-1] == "mfcc[39] p90"
    assert table.values.shape == (40, len(table.columns)) == (40, 82)


def test_runs_are_counted_and_small(store: FeatureStore) -> None:
    clips = np.tile(np.arange(len(store.manifest)), 5)
    samples = cross(clips, np.zeros(len(clips), dtype=np.int64), (0, 3))
    seen: list[int] = []
    table = read_functionals(store, samples, ("rms",), ("mean",), seen.append)
    assert len(table) == sum(seen) == len(samples) == 1120
    assert max(seen) == RUN
