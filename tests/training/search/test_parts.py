"""Inner folds, the median rule, and linear fits in the span of the clips."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from schemas.architecture import LinearSpec
from schemas.errors import SplitError, UsageError
from schemas.labels import Target
from schemas.labels_spec import LabelsSpec
from schemas.protocol import SplitSpec
from tests.training.conftest import MakeManifest
from training.linear.classifier import fit_classifier
from training.plan.plan import searched_notice
from training.runs.run import SearchSummary
from training.samples.targets import targets_of
from training.search.inner import held_out_by, inner_folds
from training.search.judge import STARTUP_TRIALS, Judge, PrunedError
from training.search.kept import Kept
from training.search.linear import LinearFits, Values
from training.search.optuna_library import require_optuna
from training.search.outcome import step_of_end, step_of_epoch
from training.search.request import SearchRequest, search_of
from training.splits.choose import splits_of

LABELS = LabelsSpec().label_set()


def manifest_of(make_manifest: MakeManifest, speakers: int) -> pd.DataFrame:
    emotions = ("happy", "angry", "sad")
    return make_manifest(
        {
            "speaker": f"a/{n:02}",
            "emotion": emotion,
            "gender": "female" if n % 2 else "male",
            "sentence": f"s{sentence}",
        }
        for n in range(speakers)
        for sentence in range(3)
        for emotion in emotions
    )


def test_inner_folds_share_no_speakers_and_no_test_clips(make_manifest: MakeManifest) -> None:
    manifest = manifest_of(make_manifest, 20)
    targets = targets_of(manifest, LABELS, Target.EMOTION, None, None)
    for split in splits_of(manifest, SplitSpec(protocol="kfold", folds=4), 0):
        folds = inner_folds(split, manifest, targets, 3, 0)
        assert len(folds) == 3
        test = {*split.positions(manifest, "test").tolist()}
        outside = {*range(len(manifest))} - test
        speaker = manifest["speaker"].to_numpy()
        for fold in folds:
            assert {*fold.fit} | {*fold.judge} == outside
            assert not {*speaker[list(fold.fit)]} & {*speaker[list(fold.judge)]}
        judged = [row for fold in folds for row in fold.judge]
        assert sorted(judged) == sorted(outside)


def test_one_inner_fold_is_the_validation_side_of_the_protocol(make_manifest: MakeManifest) -> None:
    manifest = manifest_of(make_manifest, 20)
    targets = targets_of(manifest, LABELS, Target.EMOTION, None, None)
    (split,) = splits_of(manifest, SplitSpec(), 0)
    (fold,) = inner_folds(split, manifest, targets, 1, 0)
    assert fold.judge == tuple(split.positions(manifest, "validation").tolist())
    assert fold.fit == tuple(split.positions(manifest, "train").tolist())


def test_a_single_speaker_is_divided_by_sentence(make_manifest: MakeManifest) -> None:
    manifest = manifest_of(make_manifest, 2)
    targets = targets_of(manifest, LABELS, Target.EMOTION, None, None)
    split = splits_of(manifest, SplitSpec(protocol="loso"), 0)[0]
    folds = inner_folds(split, manifest, targets, 2, 0)
    sentence = manifest["sentence"].to_numpy()
    assert all(not {*sentence[list(fold.fit)]} & {*sentence[list(fold.judge)]} for fold in folds)
    known = manifest[manifest["speaker"] == manifest["speaker"].iloc[0]]
    assert held_out_by(split, known, 2) == held_out_by(None, known, 1) == "sentence"
    assert held_out_by(split, manifest, 2) == held_out_by(None, manifest, 1) == "speaker"
    assert held_out_by(split, known, 1) == split.validation_by
    nameless = manifest.assign(sentence="")
    split = splits_of(nameless, SplitSpec(protocol="loso"), 0)[0]
    with pytest.raises(SplitError, match="two speakers or two known sentences"):
        inner_folds(split, nameless, targets, 2, 0)


def test_a_trial_below_the_median_of_the_others_at_its_step_is_pruned() -> None:
    values = np.random.default_rng(5).random(STARTUP_TRIALS)
    end = step_of_end(0)
    earlier = [{step_of_epoch(0, 4): float(value), end: float(value)} for value in values]
    median = float(np.median(values))
    judge = Judge(earlier)
    judge.report(step_of_epoch(0, 0), 0.0)  # too early
    judge.report(step_of_epoch(0, 4), median + 0.01)
    with pytest.raises(PrunedError):
        Judge(earlier).report(step_of_epoch(0, 4), median - 0.01)
    with pytest.raises(PrunedError):
        Judge(earlier).report(end, median - 0.01)
    Judge(earlier[1:]).report(end, 0.0)  # too few trials


@pytest.mark.parametrize("columns", [300, 12])
@pytest.mark.parametrize("weights", ["none", "balanced"])
@pytest.mark.parametrize(
    "spec",
    [
        LinearSpec(name="x", classifier="svm", c=0.01),
        LinearSpec(name="x", classifier="logistic", c=0.1),
        LinearSpec(name="x", classifier="lda", shrinkage=0.4),
        LinearSpec(name="x", classifier="lda", shrinkage=0.4, statistics=("mean",)),
    ],
    ids=["svm", "logistic", "lda", "lda of functionals"],
)
def test_trials_predict_as_training_does(spec: LinearSpec, weights: str, columns: int) -> None:
    generator = np.random.default_rng(3)
    targets = generator.integers(0, 3, 80) * 2  # a class without clips between them
    values = generator.normal(size=(120, columns)).astype(np.float32)
    values[np.arange(80), targets] += 2
    fitted, judging = values[:80], values[80:]
    expected = fit_classifier(spec, fitted, targets, 5, weights).predict(judging)
    found = LinearFits(10**9).predict(spec, Values("k", lambda: (fitted, judging), targets), 5, weights)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.97


def test_what_trials_keep_is_bounded_in_bytes() -> None:
    generator = np.random.default_rng(5)
    targets = generator.integers(0, 3, 60)
    fitted = generator.normal(size=(60, 200)).astype(np.float32)
    fits, made = LinearFits(1_000_000), []
    for classifier in ("svm", "lda"):
        spec = LinearSpec(name="x", classifier=classifier)  # type: ignore[arg-type]
        for key in map(str, range(40)):
            values = Values(key, lambda: made.append(1) or (fitted, fitted), targets)  # type: ignore[func-returns-value]
            first = fits.predict(spec, values, 3, "none")
            again = fits.predict(spec, values, 3, "none")
            assert fits.bytes <= 1_000_000
            np.testing.assert_array_equal(first, again)
    assert len(made) == 80  # the latest is always kept
    assert fits.bytes > 500_000
    kept = Kept[bytes](10, len)
    assert [kept.get(key, lambda key=key: key.encode()) for key in ("four", "five5", "four", "1234567")]
    assert (len(kept), kept.bytes) == (1, 7)
    kept.get("far more than ten", lambda: b"far more than ten")
    assert len(kept) == 1


def test_the_notice_names_what_was_held_out_and_curves_only_if_there_are_any() -> None:
    searched = SearchSummary(trials=1, configurations=1, inner_folds=2, validation_ua=0.5)
    of_sentences = searched.model_copy(update={"held_out_by": "sentence"})
    assert searched_notice(searched, linear=True).endswith("not heard the clip's speaker")
    assert searched_notice(of_sentences, linear=True).endswith("not heard the clip's sentence")
    assert searched_notice(searched, linear=False).endswith("but the curves are of clips it has heard")


def test_options_of_a_search_need_a_search() -> None:
    assert search_of(None, None, None, split=False, matrix=False, cuda_graphs=False) is None
    assert search_of("default", None, None, split=False, matrix=False, cuda_graphs=False) == SearchRequest(
        "default", 100, 3
    )
    with pytest.raises(UsageError, match="--trials 5 belongs to a search; add --search default"):
        search_of(None, 5, None, split=False, matrix=False, cuda_graphs=False)
    with pytest.raises(UsageError, match="leave out --split"):
        search_of("default", 5, None, split=True, matrix=False, cuda_graphs=False)
    with pytest.raises(UsageError, match="--cuda-graphs"):
        search_of("default", 5, None, split=False, matrix=False, cuda_graphs=True)
    with pytest.raises(UsageError, match="--search tunes one protocol, and --matrix trains many"):
        search_of("default", 5, None, split=False, matrix=True, cuda_graphs=False)


def test_without_optuna_a_search_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.search.optuna_library.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'ser-features\[tune\]'"):
        require_optuna()
