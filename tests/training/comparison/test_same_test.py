"""Results that cannot be compared are refused with a sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import RunError
from schemas.labels_spec import LabelsSpec
from tests.training.comparison.results import CLAIM, LABELS, answers, result
from training.comparison.same_test import align, differing_conditions, require_same_test
from training.metrics.predictions import Predictions
from training.report.differences.record import ComparedResult

ONE, TWO = Path("runs/one"), Path("runs/two")


def shuffled(found: Predictions, seed: int = 0) -> Predictions:
    rows = np.random.default_rng(seed).permutation(len(found))
    return replace(
        found,
        clip_id=tuple(found.clip_id[row] for row in rows),
        view=found.view[rows],
        dataset=tuple(found.dataset[row] for row in rows),
        speaker=tuple(found.speaker[row] for row in rows),
        gender=tuple(found.gender[row] for row in rows),
        true=found.true[rows],
        probabilities=found.probabilities[rows],
    )


def without_first(found: Predictions) -> Predictions:
    return replace(
        found,
        clip_id=found.clip_id[1:],
        view=found.view[1:],
        dataset=found.dataset[1:],
        speaker=found.speaker[1:],
        gender=found.gender[1:],
        true=found.true[1:],
        probabilities=found.probabilities[1:],
    )


def refused(one: ComparedResult, two: ComparedResult) -> str:
    with pytest.raises(RunError) as caught:
        require_same_test(ONE, one, TWO, two)
    return str(caught.value)


def test_the_order_of_clips_does_not_matter() -> None:
    wanted = answers(np.array([12, 15, 9]))
    found = align(shuffled(wanted), wanted)
    assert isinstance(found, Predictions)
    assert found.to_csv() == wanted.to_csv()
    require_same_test(ONE, result(shuffled(wanted)), TWO, result(wanted))


def test_different_clips_are_counted_and_one_is_named() -> None:
    wanted = answers(np.array([12, 15, 9]))
    fewer = without_first(wanted)
    assert refused(result(fewer), result(wanted)) == (
        "runs/one and runs/two were tested on different clips: 1 of 60 clips were tested in only one of "
        "them, such as demo/00-00 in runs/two; train both with the same --protocol and --seed, or with "
        "one --split"
    )


def test_different_views_labels_and_speakers_are_refused() -> None:
    wanted = answers(np.array([12, 15, 9]))
    noisy = replace(wanted, view=np.ones_like(wanted.view))
    assert "different views: only one of them was tested on view 0 of demo/00-00" in refused(
        result(noisy), result(wanted)
    )
    other = wanted.true.copy()
    other[[4, 9]] = 1 - other[[4, 9]]
    message = refused(result(replace(wanted, true=other)), result(wanted))
    assert "have different labels or speakers for 2 clips, such as demo/00-04; train both on" in message
    moved = replace(wanted, speaker=("demo/x", *wanted.speaker[1:]))
    assert "for 1 clip, such as demo/00-00" in refused(result(moved), result(wanted))
    six = replace(result(wanted), labels=LabelsSpec(set="common6"))
    assert "runs/one predicts the emotions of common6, but runs/two those of own (happy, sad)" in refused(
        six, result(wanted)
    )


def test_a_shared_map_with_the_classes_of_a_label_set_is_the_same() -> None:
    one, two = LabelsSpec(set="common7"), LabelsSpec(set="tess7")
    shared = LabelsSpec(set="shared", map=dict(two.label_set().rule))
    assert shared.agrees_with(one)
    assert one.agrees_with(two)
    (first, second, *others) = shared.label_set().rule.items()
    exchanged = LabelsSpec(set="shared", map=dict([second, first, *others]))
    assert not exchanged.agrees_with(one)
    merged = LabelsSpec(set="shared", map={**dict(one.label_set().rule), "calm": "sad"})
    assert not merged.agrees_with(one)
    wanted = answers(np.array([12, 15, 9]))
    renamed = replace(result(wanted), labels=LABELS.model_copy(update={"set": "shared"}))
    require_same_test(ONE, renamed, TWO, result(wanted))


def test_a_leaky_result_is_not_compared_with_an_honest_one() -> None:
    wanted = answers(np.array([12, 15, 9]))
    leaky = result(wanted, claim=replace(CLAIM, independence="leaky", protocol="random"))
    assert "runs/one is leaky, but runs/two is speaker-independent, so" in refused(leaky, result(wanted))
    dependent = result(wanted, claim=replace(CLAIM, independence="speaker-dependent"))
    assert "runs/one is speaker-independent, but runs/two is speaker-dependent" in refused(
        result(wanted), dependent
    )


def test_other_conditions_are_allowed_and_said() -> None:
    wanted = result(answers(np.array([12, 15, 9])))
    assert differing_conditions(wanted, wanted) == ()
    other = replace(
        wanted,
        claim=replace(CLAIM, protocol="split", trained_on=("demo", "tess"), normalised_by_speaker=True),
    )
    require_same_test(ONE, other, TWO, wanted)
    assert differing_conditions(other, wanted) == (
        f"The results have different titles: {other.claim.title} (A), {wanted.claim.title} (B).",
        "The training corpora differ: demo, tess (A), demo (B).",
    )
