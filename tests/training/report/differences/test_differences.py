"""What a comparison may claim, and how it is shown."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, t

from tests.training.comparison.results import CLAIM, answers, result
from tests.training.report.page.reading import Page
from training.metrics.comparison import (
    ComparedFigure,
    EmotionAnswers,
    compare_classifiers,
    compare_regressions,
)
from training.metrics.holm import adjust_by_holm
from training.metrics.predictions import Predictions
from training.metrics.value_predictions import ValuePredictions
from training.report.differences.figure import differences_png, forest_figure
from training.report.differences.record import ComparedResult, ResultComparison, ResultComparisons
from training.report.differences.table import to_csv
from training.report.differences.text import comparison_text
from training.report.differences.verdict import Verdict, claim_sentence, fewest_for, judge
from training.report.differences.wording import signed
from training.report.page.comparison_page import comparison_page
from training.splits.claim import Claim

BETTER = np.array([16, 18, 15, 17, 19, 16, 18, 17])
WORSE = np.array([10, 12, 11, 12, 10, 13, 11, 12])
ALIKE = np.array([11, 11, 13, 11, 9, 14, 10, 13])


def emotions(found: ComparedResult) -> EmotionAnswers:
    assert isinstance(found.predictions, Predictions)
    return EmotionAnswers.of(found.predictions, found.labels.label_set(), found.labels.target)


def compared(*rights: np.ndarray, base: np.ndarray = WORSE, claim: Claim = CLAIM) -> ResultComparisons:
    """Results with these numbers of recognised clips per speaker against ``base``."""
    baseline = result(answers(base), "base", claim)
    results = [result(answers(each), f"new-{n}", claim) for n, each in enumerate(rights, 1)]
    figures = [compare_classifiers(emotions(each), emotions(baseline)) for each in results]
    p_values = [each.headline.difference.p for each in figures]
    adjusted: Any = [None] * len(figures) if None in p_values else adjust_by_holm([p or 0 for p in p_values])
    comparisons = []
    for each, found, p in zip(results, figures, adjusted, strict=True):
        verdict = judge(found.headline, p, claim)
        sentence = claim_sentence(
            verdict, found.headline, claim, (each.name, "base"), "recognises emotions", len(results)
        )
        comparisons.append(ResultComparison(each, found, None, p, verdict, sentence, ()))
    return ResultComparisons(baseline, tuple(comparisons))


def sentence_of(found: ResultComparisons) -> str:
    (one,) = found.comparisons
    return one.sentence


def test_a_clear_difference_is_claimed() -> None:
    found = compared(BETTER)
    headline = found.comparisons[0].figures.headline
    bounds = headline.difference.interval
    assert bounds is not None
    points = 100 * (BETTER.mean() - WORSE.mean()) / 20
    assert sentence_of(found) == (
        f"new-1 recognises emotions of new speakers better than base: UA +{points:.1f} points (95 % interval "
        f"+{100 * bounds.low:.1f} to +{100 * bounds.high:.1f}, 8 speakers of demo)."
    )
    back = sentence_of(compared(WORSE, base=BETTER))
    assert back.startswith(
        f"new-1 recognises emotions of new speakers worse than base: UA −{points:.1f} points"
    )


def test_an_interval_with_zero_claims_nothing() -> None:
    found = compared(ALIKE)
    assert found.comparisons[0].verdict == Verdict(None, "interval includes 0")
    assert sentence_of(found).startswith("No difference between new-1 and base can be claimed: UA ")
    assert sentence_of(found).endswith(", 8 speakers of demo, which includes 0).")


@pytest.mark.parametrize(
    ("speakers", "ending"),
    [
        (2, "but an interval needs at least 3 test speakers and this test has 2 speakers of demo."),
        (4, "but a reliable interval needs at least 5 test speakers and this test has 4 speakers of demo."),
    ],
)
def test_few_speakers_claim_nothing(speakers: int, ending: str) -> None:
    found = compared(BETTER[:speakers], base=WORSE[:speakers])
    assert found.comparisons[0].verdict == Verdict(None, "few speakers")
    assert sentence_of(found).endswith(ending)
    text = comparison_text(found)
    assert ("No interval: the paired speaker bootstrap needs" in text) is (speakers == 2)
    assert Page(comparison_page(found)).table("figure")["UA"][3] == (
        "–" if speakers == 2 else found_bounds(found)
    )


def found_bounds(found: ResultComparisons) -> str:
    headline = found.comparisons[0].figures.headline
    bounds = headline.difference.interval
    assert bounds is not None
    return f"{signed(headline, bounds.low)} to {signed(headline, bounds.high)}"


def test_speakers_that_training_heard_and_leaks_limit_the_claim() -> None:
    dependent = replace(CLAIM, independence="speaker-dependent")
    found = compared(BETTER, claim=dependent)
    assert "recognises emotions of speakers that training heard better than base" in sentence_of(found)
    assert "Speaker-dependent: training heard the test speakers" in comparison_text(found)
    known = compared(BETTER, claim=replace(CLAIM, normalised_by_speaker=True))
    assert "of new speakers better than base, if all clips of each speaker are known: UA +" in sentence_of(
        known
    )
    leaky = compared(BETTER, claim=replace(CLAIM, independence="leaky"))
    assert leaky.comparisons[0].verdict == Verdict(None, "leaky")
    assert sentence_of(leaky).endswith("but both models were trained on copies of the test recordings.")


def test_of_several_only_what_survives_the_correction_is_claimed() -> None:
    headline = compared(BETTER).headline
    assert judge(headline, 0.05, CLAIM).claim == "better"
    assert judge(headline, 0.051, CLAIM) == Verdict(None, "correction")
    verdict = judge(headline, 0.2, CLAIM)
    sentence = claim_sentence(verdict, headline, CLAIM, ("new", "base"), "recognises emotions", 4)
    assert sentence.startswith("No difference between new and base can be claimed: UA +28.1 points (95 %")
    assert sentence.endswith("is not clear enough after Holm's correction for 4 comparisons.")
    found = compared(BETTER, ALIKE)
    assert found.comparisons[0].sentence.endswith("also after Holm's correction for 2 comparisons.")
    assert [each.verdict.claim for each in found.comparisons] == ["better", None]


@pytest.mark.parametrize(("comparisons", "speakers"), [(1, 5), (2, 6), (3, 7), (4, 8)])
def test_many_comparisons_need_more_speakers(comparisons: int, speakers: int) -> None:
    """The limit, by hand: Student's t of the normal quantile of 1 / 10001, two-sided."""
    limits = [2 * t.sf(norm.isf(1 / 10_001) / np.sqrt(n / (n - 1)), n - 1) for n in (speakers - 1, speakers)]
    assert comparisons * limits[1] <= 0.05
    assert comparisons == 1 or comparisons * limits[0] > 0.05
    assert fewest_for(comparisons) == speakers
    headline = replace(compared(BETTER).headline, speakers=speakers - 1)
    if comparisons > 1:
        verdict = judge(headline, comparisons * limits[0], CLAIM, comparisons=comparisons)
        assert verdict == Verdict(None, "few speakers for correction")
        sentence = claim_sentence(verdict, headline, CLAIM, ("a", "b"), "recognises emotions", comparisons)
        assert f"but {comparisons} comparisons need at least {speakers} test speakers" in sentence


def test_parts_are_called_exploratory_and_mcnemar_has_its_limit() -> None:
    text = " ".join(comparison_text(compared(BETTER)).split())
    assert "These parts are exploratory: their intervals are not corrected" in text
    discordant = compared(BETTER).comparisons[0].figures.mcnemar
    assert discordant is not None
    assert (
        f"only A recognises {discordant.only_first} clips, only B {discordant.only_second}; p < 0.001" in text
    )
    assert "clips of one speaker are not; the claim rests on the speaker bootstrap" in text
    assert "UA by speaker: A is higher for 8 of 8, B for 0." in text


def test_the_forest_plot_shows_every_figure_with_its_interval() -> None:
    found = compared(BETTER)
    (axes,) = forest_figure(found.comparisons[0]).axes
    figures = found.comparisons[0].figures
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["UA", "WA", "macro-F1", "happy", "sad", "demo", "female", "male"]
    drawn = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o"]
    assert [x for x, _ in drawn] == pytest.approx([100 * each.difference.value for each in figures.figures])
    assert [y for _, y in drawn] == sorted((y for _, y in drawn), reverse=True)
    ua = figures.headline.difference.interval
    assert ua is not None
    (whisker,) = axes.collections[0].get_segments()
    assert [whisker[0][0], whisker[1][0]] == pytest.approx([100 * ua.low, 100 * ua.high])
    assert differences_png(found).startswith(b"\x89PNG")


def test_the_page_has_a_section_for_each_result_and_equal_bytes() -> None:
    found = compared(BETTER, ALIKE)
    html = comparison_page(found)
    assert html == comparison_page(compared(BETTER, ALIKE))
    page = Page(html)
    assert len(page.pictures) == 3
    assert all(each.sentence in page.text for each in found.comparisons)
    assert list(page.table("result")) == ["A1", "A2", "B"]
    assert page.table("result")["A1"][-1] == "better"
    assert "A1 − B: new-1" in page.text
    single = Page(comparison_page(compared(BETTER)))
    assert list(single.table("recall of")) == ["happy", "sad"]
    assert single.facts["A, run"].startswith(
        "new-1; seed 0; store sha256:store; SHA-256 of predictions.csv 00"
    )


def values(error: float, seed: int) -> ValuePredictions:
    random = np.random.default_rng(0)
    true = random.normal(3, 1, (160, 2))
    noise = np.random.default_rng(seed).normal(0, error, true.shape)
    like = answers(BETTER)
    return ValuePredictions(
        names=("valence", "arousal"),
        clip_id=like.clip_id,
        view=like.view,
        dataset=like.dataset,
        speaker=like.speaker,
        gender=like.gender,
        true=true,
        predicted=(true + noise).astype(np.float32),
    )


def test_regressions_are_compared_by_ccc_with_rmse() -> None:
    one, two = values(0.3, 1), values(0.9, 2)
    figures = compare_regressions(one, two)
    verdict = judge(figures.headline, figures.headline.difference.p, CLAIM)
    sentence = claim_sentence(
        verdict, figures.headline, CLAIM, ("new", "base"), "predicts the valence and arousal", 1
    )
    assert sentence.startswith(
        "new predicts the valence and arousal of new speakers better than base: CCC +0."
    )
    comparison = ResultComparison(result(one, "new"), figures, None, 0.01, verdict, sentence, ())
    found = ResultComparisons(result(two, "base"), (comparison,))
    text = comparison_text(found)
    assert "McNemar" not in text
    rows = {line.split("  ")[0]: line for line in text.splitlines()}
    assert {"CCC", "RMSE", "valence", "valence, RMSE", "arousal", "arousal, RMSE"} <= {*rows}
    rmse = figures.others[0]
    assert rmse.difference.value < 0
    assert rmse.first_is_better
    assert signed(rmse, rmse.difference.value) in rows["RMSE"]
    page = Page(comparison_page(found))
    assert set(page.table("dimension")) == {"valence", "valence, RMSE", "arousal", "arousal, RMSE"}
    table = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [row["part"] for row in table] == ["all"] * 2 + ["dimension"] * 4 + ["corpus"] + ["gender"] * 2
    assert [float(row["adjusted_p"]) for row in table if row["adjusted_p"]] == [0.01]
    assert max(map(len, text.splitlines())) <= 100


def test_a_difference_of_zero_has_no_sign() -> None:
    figure: ComparedFigure = compared(BETTER).headline
    assert [signed(figure, x) for x in (0.0, -0.0001, 0.0312, -0.0312)] == ["0.0", "0.0", "+3.1", "−3.1"]
