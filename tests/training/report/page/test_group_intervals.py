"""Intervals of classes and groups against a bootstrap in plain Python, with draws of its own."""

from __future__ import annotations

import random
import statistics

import numpy as np
import pytest
import scipy.stats

from training.metrics.bootstrap import FEWEST_SPEAKERS
from training.metrics.evaluation import score
from training.metrics.scores import Scores

CLASSES = ("a", "b", "c")
SPEAKERS = 9


def clips() -> list[tuple[str, str, int, int]]:
    """Speaker, gender, true and predicted class; class c is spoken by four of them alone."""
    draw, found = random.Random(4), []
    for number in range(SPEAKERS):
        skill = draw.uniform(0.2, 0.9)
        for _ in range(40):
            true = draw.randrange(3 if number < 4 else 2)
            said = true if draw.random() < skill else draw.randrange(3)
            found.append((f"x/{number}", "female" if number < 7 else "male", true, said))
    return found


@pytest.fixture(scope="module")
def found() -> Scores:
    rows = clips()
    groups = {"corpus": ["x"] * len(rows), "gender": [r[1] for r in rows], "speaker": [r[0] for r in rows]}
    return score(np.array([r[2] for r in rows]), np.eye(3)[[r[3] for r in rows]], CLASSES, groups)


def expanded(values: list[float], speakers: int) -> tuple[float, float]:
    """Hesterberg 2015, section 5.3."""
    scale = (speakers / (speakers - 1)) ** 0.5
    tail = scipy.stats.norm.sf(scale * scipy.stats.t.isf(0.025, speakers - 1))
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def resampled(rows: list[tuple[str, str, int, int]], replicates: int = 4000) -> list[list[tuple[int, int]]]:
    draw, names = random.Random(11), sorted({row[0] for row in rows})
    of = {name: [(row[2], row[3]) for row in rows if row[0] == name] for name in names}
    return [
        [pair for name in draw.choices(names, k=len(names)) for pair in of[name]] for _ in range(replicates)
    ]


@pytest.mark.parametrize(("index", "having"), [(0, 9), (2, 4)])
def test_recall_and_precision_of_a_class(found: Scores, index: int, having: int) -> None:
    recalls, precisions = [], []
    for sample in resampled(clips()):
        said = [said for true, said in sample if true == index]
        if said:
            recalls.append(said.count(index) / len(said))
            taken = [true for true, said in sample if said == index]
            precisions.append(taken.count(index) / len(taken) if taken else 0.0)
    intervals = found.per_class[index].intervals
    assert intervals is not None
    assert intervals.speakers == having
    for interval, values in ((intervals.recall, recalls), (intervals.precision, precisions)):
        assert (interval.low, interval.high) == pytest.approx(expanded(values, having), abs=0.03)


def test_ua_of_a_gender_is_over_its_own_speakers(found: Scores) -> None:
    female = [row for row in clips() if row[1] == "female"]
    values = []
    for sample in resampled(female):
        present = sorted({true for true, _ in sample})
        parts = [[said == true for true, said in sample if true == each] for each in present]
        values.append(statistics.fmean(statistics.fmean(part) for part in parts))
    (group,) = (group for group in found.by_gender if group.name == "female")
    assert group.intervals is not None
    assert group.intervals.speakers == group.speakers == 7
    assert (group.intervals.ua.low, group.intervals.ua.high) == pytest.approx(expanded(values, 7), abs=0.03)


def test_too_few_speakers_have_none(found: Scores) -> None:
    (male,) = (group for group in found.by_gender if group.name == "male")
    assert (male.speakers, male.intervals) == (2, None)
    assert {group.intervals for group in found.by_speaker} == {None}
    assert FEWEST_SPEAKERS == 3


def test_a_corpus_that_is_all_has_the_interval_of_all(found: Scores) -> None:
    assert found.by_corpus[0].intervals == found.intervals
