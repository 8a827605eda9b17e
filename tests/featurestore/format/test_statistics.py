import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featurestore.format.statistics import merge


@given(sizes=st.lists(st.integers(0, 20), min_size=1, max_size=8), seed=st.integers(0, 999))
def test_merged_moments_are_those_of_all_frames(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = [rng.normal(rng.normal() * 50, 3, (size, 4)) for size in sizes]
    frames = np.concatenate(groups)
    means = np.array([g.mean(axis=0) if len(g) else np.zeros(4) for g in groups])
    m2s = np.array([np.square(g - g.mean(axis=0)).sum(axis=0) if len(g) else np.zeros(4) for g in groups])
    merged = merge(np.array(sizes), means, m2s)
    assert merged.count == len(frames)
    if len(frames):
        assert np.allclose(merged.mean, frames.mean(axis=0))
        assert np.allclose(merged.std, frames.std(axis=0), atol=1e-9)


@given(groups=st.integers(1, 40), seed=st.integers(0, 999))
def test_a_column_is_merged_to_the_same_bits_alone_and_beside_others(groups: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts, means = rng.integers(0, 200, groups), rng.normal(-40, 20, (groups, 7))
    m2s = rng.gamma(2.0, 300.0, (groups, 7))
    together = merge(counts, means, m2s)
    for column in range(7):
        alone = merge(counts, means[:, column : column + 1], m2s[:, column : column + 1])
        assert alone.mean.tobytes() == together.mean[column : column + 1].tobytes()
        assert alone.m2.tobytes() == together.m2[column : column + 1].tobytes()
