from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sk

from training.metrics.bootstrap import LEVEL, REPLICATES, _draws, difference_interval, speaker_intervals
from training.metrics.confusion import ConfusionCounts, confusions


def people(speakers: int, classes: int, clips: int, seed: int) -> NDArray[np.int64]:
    """Confusion matrices of speakers of whom some are recognised well and some badly."""
    generator = np.random.default_rng(seed)
    group = np.repeat(np.arange(speakers), clips)
    true = generator.integers(0, classes, speakers * clips)
    right = generator.random(speakers * clips) < np.repeat(generator.uniform(0.1, 0.9, speakers), clips)
    predicted = np.where(right, true, generator.integers(0, classes, len(true)))
    return confusions(true, predicted, classes, group)


def test_confusions_count_every_clip_of_every_group() -> None:
    true, predicted, group = np.array([0, 1, 1, 0]), np.array([0, 0, 1, 0]), np.array([0, 0, 1, 1])
    assert confusions(true, predicted, 2, group).tolist() == [[[1, 0], [1, 0]], [[1, 0], [0, 1]]]


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_a_replicate_is_the_result_of_its_speakers_clips() -> None:
    generator = np.random.default_rng(1)
    # Some classes are spoken by few of the speakers, so that replicates lack them.
    group, true = np.repeat(np.arange(5), 12), generator.integers(0, 4, 60) * (generator.random(60) < 0.5)
    predicted = np.where(generator.random(60) < 0.5, true, generator.integers(0, 4, 60))
    weights = _draws(5)
    drawn = ConfusionCounts.of(confusions(true, predicted, 4, group)).weight(weights)
    for i, counts in enumerate(weights[:60].astype(int)):
        clips = np.concatenate([np.flatnonzero(group == g) for g, n in enumerate(counts) for _ in range(n)])
        heard, taken = true[clips], predicted[clips]
        present = np.unique(heard)
        assert drawn.ua[i] == pytest.approx(sk.balanced_accuracy_score(heard, taken))
        assert drawn.wa[i] == pytest.approx(sk.accuracy_score(heard, taken))
        f1 = sk.f1_score(heard, taken, labels=present, average="macro", zero_division=0)
        assert drawn.macro_f1[i] == pytest.approx(f1)


@pytest.mark.parametrize("rate", ["ua", "wa", "macro_f1"])
def test_intervals_agree_with_those_of_scipy(rate: str) -> None:
    matrices = people(9, 5, 40, seed=2)

    def of_speakers(indices: NDArray[np.int64]) -> float:
        return float(getattr(ConfusionCounts.of(matrices[indices].sum(axis=0)), rate))

    # Hesterberg 2015, section 5.3: the level of which a percentile interval of 9 is as wide as one by t.
    tail = scipy.stats.norm.sf(np.sqrt(9 / 8) * scipy.stats.t.isf((1 - LEVEL) / 2, 8))
    assert tail == pytest.approx(0.00719, abs=1e-4)
    expected = scipy.stats.bootstrap(
        (np.arange(9),),
        of_speakers,
        n_resamples=8000,
        vectorized=False,
        method="percentile",
        confidence_level=1 - 2 * tail,
        rng=np.random.default_rng(0),
    ).confidence_interval
    found = speaker_intervals(matrices)
    assert found is not None
    interval = getattr(found, rate)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=0.015)


def test_speakers_who_are_all_alike_leave_nothing_to_chance() -> None:
    found = speaker_intervals(np.repeat(people(1, 3, 30, seed=0), 6, axis=0))
    assert found is not None
    assert found.ua.low == pytest.approx(found.ua.high)
    assert (found.speakers, found.replicates, found.level) == (6, REPLICATES, 0.95)


def test_more_speakers_narrow_the_interval_and_more_clips_of_them_hardly_do() -> None:
    def width(speakers: int, clips: int) -> float:
        found = speaker_intervals(people(speakers, 4, clips, seed=5))
        assert found is not None
        return found.ua.high - found.ua.low

    assert width(64, 50) < 0.5 * width(8, 50)
    assert width(8, 800) > 0.7 * width(8, 50)


def test_few_speakers_have_intervals_of_students_t_and_no_narrower() -> None:
    """Shares of five speakers with as many clips each: the interval of their mean by Student's t."""
    shares = np.array([0.3, 0.45, 0.5, 0.6, 0.75])
    hits = np.round(1000 * shares).astype(np.int64)
    matrices = np.stack([[[h, 1000 - h], [0, 0]] for h in hits])
    found = speaker_intervals(matrices)
    assert found is not None
    half = scipy.stats.t.isf(0.025, 4) * shares.std(ddof=1) / np.sqrt(5)
    assert found.ua.high - found.ua.low == pytest.approx(2 * half, rel=0.15)


def test_two_speakers_have_no_interval() -> None:
    assert speaker_intervals(people(2, 4, 30, seed=0)) is None
    assert speaker_intervals(people(3, 4, 30, seed=0)) is not None


def test_the_same_matrices_have_the_same_interval_always() -> None:
    assert speaker_intervals(people(7, 4, 30, seed=0)) == speaker_intervals(people(7, 4, 30, seed=0))


@settings(max_examples=40)
@given(
    speakers=st.integers(3, 8), classes=st.integers(1, 5), clips=st.integers(1, 20), seed=st.integers(0, 999)
)
def test_the_interval_of_wa_lies_between_the_worst_and_the_best_speaker(
    speakers: int, classes: int, clips: int, seed: int
) -> None:
    matrices = people(speakers, classes, clips, seed)
    found, by_speaker = speaker_intervals(matrices), ConfusionCounts.of(matrices).wa
    assert found is not None
    assert by_speaker.min() - 1e-12 <= found.wa.low <= found.wa.high <= by_speaker.max() + 1e-12


def test_a_difference_is_measured_on_the_same_resamples() -> None:
    """As of replicates that are computed one by one, with the percentiles of one model's interval."""
    one, other = people(6, 3, 30, seed=1), people(6, 3, 30, seed=2)
    found = difference_interval(one, other)
    assert found is not None
    gaps = []
    for counts in _draws(6):
        uas = []
        for matrices in (one, other):
            total = np.einsum("s,sij->ij", counts, matrices)
            uas.append(np.mean([row[i] / row.sum() for i, row in enumerate(total) if row.sum()]))
        gaps.append(uas[0] - uas[1])
    tail = scipy.stats.norm.cdf(-np.sqrt(6 / 5) * scipy.stats.t(5).ppf((1 + LEVEL) / 2))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(gaps, (tail, 1 - tail))))


def test_equal_models_do_not_differ_and_two_speakers_are_too_few() -> None:
    one = people(5, 3, 20, seed=3)
    found = difference_interval(one, one)
    assert found is not None
    assert (found.low, found.high) == (0.0, 0.0)
    assert difference_interval(one[:2], one[:2]) is None
