from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from featurestore.store import FeatureStore
from schemas.errors import RunError
from training.loader import ram
from training.loader.ram import home_of, read_samples, runs
from training.samples import Samples, cross

CPU = torch.device("cpu")


def test_every_sample_holds_its_own_clip_and_view(demo_store: Path) -> None:
    store = FeatureStore.open(demo_store)
    clips = np.array([3, 4, 5, 17, 40, 41, 111])
    samples = cross(clips, np.arange(7), (0, 4, 6))
    counted: list[int] = []
    source = read_samples(store, samples, ("mel", "mfcc", "rms", "zcr"), CPU, CPU, counted.append)
    assert len(source) == sum(counted) == 21
    order = np.random.default_rng(0).permutation(21)
    batch = source.gather(order)
    assert batch.features.shape == (21, 1, 170, 130)
    assert batch.features.dtype == torch.float16
    for i, sample in enumerate(order):
        clip, view = int(samples.clips[sample]), int(samples.views[sample])
        arrays = store.read([clip], views=(view,))
        expected = np.concatenate([arrays[name][0, 0] for name in ("mel", "mfcc", "rms", "zcr")])
        np.testing.assert_array_equal(batch.features[i, 0].numpy(), expected)
        assert batch.valid_frames[i] == store.valid_frames([clip], views=(view,))[0, 0]
        assert batch.targets[i] == np.flatnonzero(clips == clip)[0]


def test_features_that_are_not_asked_for_are_not_read(demo_store: Path) -> None:
    store = FeatureStore.open(demo_store)
    clips = np.arange(2)
    source = read_samples(store, cross(clips, clips, (0,)), ("mfcc", "zcr"), CPU, CPU)
    assert source.features.shape == (2, 41, 130)


@given(
    clips=st.lists(st.integers(0, 5000), min_size=1, max_size=3000, unique=True).map(sorted),
    views=st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True),
)
def test_runs_cover_all_samples_once_within_a_view_and_in_order(clips: list[int], views: list[int]) -> None:
    samples = cross(np.array(clips), np.zeros(len(clips), dtype=np.int64), views)
    found = list(runs(samples))
    assert [i for run in found for i in range(run.start, run.stop)] == list(range(len(samples)))
    for run in found:
        assert 0 < run.stop - run.start <= 1024
        assert len(set(samples.views[run])) == 1
        assert (np.diff(samples.clips[run]) > 0).all()
    assert len(found) == len(views) * -(-len(clips) // 1024)


def test_no_samples_have_no_runs() -> None:
    nothing = np.array([], dtype=np.int64)
    assert list(runs(Samples(nothing, nothing, nothing))) == []


def test_sides_that_do_not_fit_into_memory_together_are_refused(
    demo_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore.open(demo_store)
    side = cross(np.arange(4), np.arange(4), (0,))
    bytes_a_side = 4 * 128 * 130 * 2
    pages = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": int(2.5 * bytes_a_side)}
    monkeypatch.setattr(ram.os, "sysconf", pages.__getitem__)
    assert home_of(store, [side, side], ("mel",), CPU) == CPU
    with pytest.raises(RunError, match=r"the 12 samples take .* fewer views"):
        home_of(store, [side, side, side], ("mel",), CPU)
