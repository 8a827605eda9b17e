"""Differences of two results, against slow loops, scipy and tables made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from tests.training.metrics.test_concordance import ccc_by_formula
from training.metrics.bootstrap import LEVEL, REPLICATES, draw_speakers
from training.metrics.concordance import AgreementSums
from training.metrics.confusion import ConfusionCounts, confusions
from training.metrics.holm import adjust_by_holm
from training.metrics.mcnemar import compare_answers
from training.metrics.paired import (
    PairedDifference,
    compare_agreement,
    compare_rates,
    compare_recalls,
    p_of_replicates,
)

SPEAKERS, CLASSES, CLIPS = 7, 3, 12


def answers(
    seed: int, shares: tuple[float, float], speakers: int = SPEAKERS, clips: int = CLIPS
) -> tuple[NDArray[np.int64], ...]:
    """Speaker and truth of each clip, and the answers of two models that share a speaker's difficulty."""
    random = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(speakers), clips)
    true = random.integers(0, CLASSES, len(speaker))
    ease = random.normal(0, 0.1, speakers)[speaker]
    wrong = (true + random.integers(1, CLASSES, len(true))) % CLASSES
    predicted = [np.where(random.random(len(true)) < share + ease, true, wrong) for share in shares]
    return speaker, true, *predicted


def slow_replicates(seed: int, rate: object, count: int) -> list[float]:
    """Differences of one figure over the clips of the drawn speakers, concatenated."""
    speaker, true, one, two = answers(seed, (0.7, 0.5))
    found = []
    for counts in draw_speakers(SPEAKERS)[:count].astype(int):
        clips = np.concatenate([np.flatnonzero(speaker == s) for s, n in enumerate(counts) for _ in range(n)])
        found.append(rate(true[clips], one[clips]) - rate(true[clips], two[clips]))  # type: ignore[operator]
    return found


def matrices(seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    speaker, true, one, two = answers(seed, (0.7, 0.5))
    return confusions(true, one, CLASSES, speaker), confusions(true, two, CLASSES, speaker)


def expanded(differences: NDArray[np.float64], speakers: int) -> tuple[float, float]:
    """Hesterberg 2015, section 5.3, with scipy's distributions."""
    t = scipy.stats.t.isf((1 - LEVEL) / 2, speakers - 1)
    tail = scipy.stats.norm.sf(np.sqrt(speakers / (speakers - 1)) * t)
    return float(np.quantile(differences, tail)), float(np.quantile(differences, 1 - tail))


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("ua", balanced_accuracy_score),
        ("wa", accuracy_score),
        ("macro_f1", lambda true, found: f1_score(true, found, average="macro")),
    ],
)
def test_both_results_are_resampled_with_the_same_speakers(name: str, rate: object) -> None:
    one, two = matrices(seed=3)
    found: PairedDifference = getattr(compare_rates(one, two), name)
    _, true, *predicted = answers(3, (0.7, 0.5))
    assert found.first == pytest.approx(rate(true, predicted[0]))  # type: ignore[operator]
    assert found.second == pytest.approx(rate(true, predicted[1]))  # type: ignore[operator]
    # All replicates by the fast path of single results, the first of them by a loop over clips.
    weights = draw_speakers(SPEAKERS)
    drawn = [getattr(ConfusionCounts.of(each).weight(weights), name) for each in (one, two)]
    differences = drawn[0] - drawn[1]
    slow = slow_replicates(3, rate, 40)
    assert differences[: len(slow)] == pytest.approx(slow)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx(expanded(differences, SPEAKERS))


def test_recalls_are_those_of_each_class_over_the_speakers_who_have_it() -> None:
    one, two = matrices(seed=5)
    one[3:, 1] = two[3:, 1] = 0  # class 1 is spoken by three speakers
    one[:, 2] = two[:, 2] = 0
    one[0, 2, 2] = two[0, 2, 1] = 4  # class 2 by a single one
    found = compare_recalls(one, two)
    for i in range(CLASSES):
        assert found[i].first == pytest.approx(one[:, i, i].sum() / one[:, i].sum())
        assert found[i].second == pytest.approx(two[:, i, i].sum() / two[:, i].sum())
    weights = draw_speakers(SPEAKERS)
    true = weights @ one[:, 1].sum(axis=1)
    with_clips = true > 0
    replicates = ((weights @ (one[:, 1, 1] - two[:, 1, 1]))[with_clips]) / true[with_clips]
    assert found[1].interval is not None
    assert (found[1].interval.low, found[1].interval.high) == pytest.approx(expanded(replicates, 3))
    assert (found[2].value, found[2].interval, found[2].p) == (1.0, None, None)


def test_regressions_differ_by_ccc_and_rmse() -> None:
    random = np.random.default_rng(2)
    speaker = np.repeat(np.arange(6), 15)
    true = random.normal(3, 1, (90, 2))
    one, two = true + random.normal(0, 0.5, true.shape), true + random.normal(0.2, 0.9, true.shape)
    found = compare_agreement(AgreementSums.of(true, one, speaker), AgreementSums.of(true, two, speaker))
    ccc = [[ccc_by_formula(true[:, i], each[:, i]) for i in range(2)] for each in (one, two)]
    assert [each.value for each in found.ccc_of_each] == pytest.approx(np.subtract(*ccc))
    assert found.ccc.value == pytest.approx(np.mean(ccc[0]) - np.mean(ccc[1]))
    rmse = [np.sqrt(np.square(true - each).mean(axis=0)) for each in (one, two)]
    assert [each.value for each in found.rmse_of_each] == pytest.approx(rmse[0] - rmse[1])
    assert found.rmse.excludes_zero
    assert found.rmse.value < 0 < found.ccc.value
    replicates = []
    for counts in draw_speakers(6)[:30].astype(int):
        clips = np.concatenate([np.flatnonzero(speaker == s) for s, n in enumerate(counts) for _ in range(n)])
        replicates.append(
            np.mean([ccc_by_formula(true[clips, i], one[clips, i]) for i in range(2)])
            - np.mean([ccc_by_formula(true[clips, i], two[clips, i]) for i in range(2)])
        )
    sums = [AgreementSums.of(true, each, speaker).weight(draw_speakers(6)) for each in (one, two)]
    assert (sums[0].ccc - sums[1].ccc).mean(axis=1)[:30] == pytest.approx(replicates)


def test_equal_answers_differ_by_nothing() -> None:
    one, _ = matrices(seed=1)
    found = compare_rates(one, one.copy()).ua
    assert found.interval is not None
    assert (found.value, found.interval.low, found.interval.high, found.p) == (0, 0, 0, 1)
    assert not found.excludes_zero


def test_the_order_of_the_results_only_changes_the_sign() -> None:
    one, two = matrices(seed=8)
    there, back = compare_rates(one, two).ua, compare_rates(two, one).ua
    assert there.interval is not None
    assert back.interval is not None
    assert there.value == -back.value
    assert (there.interval.low, there.interval.high) == pytest.approx(
        (-back.interval.high, -back.interval.low)
    )
    assert there.p == back.p


@pytest.mark.parametrize(("speakers", "levels"), [(5, (0.2, 0.05)), (24, (0.2, 0.05, 0.01))])
def test_p_is_the_level_at_which_the_interval_touches_zero(speakers: int, levels: tuple[float, ...]) -> None:
    """Φ(−√(n / (n − 1)) t) of the replicates lie below 0: then p is the two-sided level of t."""
    differences = np.arange(REPLICATES, dtype=np.float64)
    for level in levels:
        t = scipy.stats.t.isf(level / 2, speakers - 1)
        tail = scipy.stats.norm.sf(np.sqrt(speakers / (speakers - 1)) * t)
        below = round(tail * (REPLICATES + 1)) - 1
        found = p_of_replicates(differences - below + 0.5, speakers)
        assert found == pytest.approx(level, rel=0.15)
        assert p_of_replicates(below - 0.5 - differences, speakers) == pytest.approx(found)
    assert p_of_replicates(np.zeros(REPLICATES), speakers) == 1


def test_few_speakers_have_no_small_p() -> None:
    """Even if no replicate is below 0; so p of three speakers is never below 5 %."""
    for speakers, about in ((3, 0.093), (5, 0.029), (10, 0.0064), (24, 0.0014)):
        smallest = p_of_replicates(np.ones(REPLICATES), speakers)
        quantile = scipy.stats.norm.isf(1 / (REPLICATES + 1)) / np.sqrt(speakers / (speakers - 1))
        assert smallest == pytest.approx(2 * scipy.stats.t.sf(quantile, speakers - 1))
        assert smallest == pytest.approx(about, rel=0.05)


def test_p_is_below_five_percent_only_if_the_interval_excludes_zero() -> None:
    clear = 0
    for seed in range(40):
        one, two = matrices(seed)
        found = compare_rates(one, two).ua
        assert found.p is not None
        if abs(found.p - 0.05) > 0.003:
            assert found.excludes_zero == (found.p < 0.05)
        clear += found.excludes_zero
    assert 5 < clear < 40


def test_equal_models_are_called_different_in_one_test_of_twenty() -> None:
    """Two models with the same ability, for 160 tests of 12 speakers: their answers are dependent."""
    wrong = 0
    for seed in range(160):
        speaker, true, one, two = answers(1000 + seed, (0.6, 0.6), speakers=12, clips=20)
        found = compare_rates(
            confusions(true, one, CLASSES, speaker), confusions(true, two, CLASSES, speaker)
        )
        wrong += found.ua.excludes_zero
    assert scipy.stats.binomtest(wrong, 160, 0.05).pvalue > 0.001


def test_mcnemar_counts_discordant_clips() -> None:
    """10 clips only by the first and 2 only by the second: 2 (1 + 12 + 66) / 2¹² of fair coins."""
    first = np.array([True] * 30 + [True] * 10 + [False] * 2 + [False] * 8)
    second = np.array([True] * 30 + [False] * 10 + [True] * 2 + [False] * 8)
    found = compare_answers(first, second)
    assert (found.both, found.only_first, found.only_second, found.neither) == (30, 10, 2, 8)
    assert found.p == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert compare_answers(second, first).p == found.p
    assert compare_answers(first, first).p == 1


def test_holm_adjusts_as_in_a_table_by_hand() -> None:
    """0.01 × 4, 0.013 × 3, 0.03 × 2, 0.04 × 1; each is at least the one before it."""
    assert adjust_by_holm([0.03, 0.01, 0.04, 0.013]) == pytest.approx((0.06, 0.04, 0.06, 0.04))
    assert adjust_by_holm([0.6, 0.7]) == (1.0, 1.0)
    assert adjust_by_holm([0.02]) == (0.02,)
    assert adjust_by_holm([]) == ()


def test_holm_rejects_as_its_stepwise_rule_does() -> None:
    """Holm's own form: reject the i-th smallest while it is at most α / (m − i + 1)."""
    random = np.random.default_rng(0)
    for _ in range(200):
        p_values = random.random(6) ** 3
        order, rejected = np.argsort(p_values), set()
        for rank, i in enumerate(order):
            if p_values[i] > 0.05 / (6 - rank):
                break
            rejected.add(int(i))
        adjusted = adjust_by_holm(p_values.tolist())
        assert {i for i, p in enumerate(adjusted) if p <= 0.05} == rejected
