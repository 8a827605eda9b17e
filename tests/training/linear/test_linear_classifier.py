from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from schemas.architecture import LinearSpec
from schemas.errors import RunError
from training.linear.classifier import LinearClassifier, fit_classifier

SVM = LinearSpec(name="f", classifier="svm", statistics=("mean",), c=0.01)
LDA = LinearSpec(name="f", classifier="lda", statistics=("mean",), shrinkage=0.2)
BOTH = pytest.mark.parametrize("spec", [SVM, LDA], ids=["svm", "lda"])
Table = tuple[NDArray[np.float32], NDArray[np.int64]]


def table(classes: tuple[int, ...], count: int = 120, width: int = 20) -> Table:
    """Classes shift some columns; columns of different sizes, and one that never changes."""
    rng = np.random.default_rng(3)
    drawn = (len(classes) * rng.random(count) ** 2).astype(int)  # the first class most often
    targets = np.array(classes)[drawn]
    values = rng.normal(size=(count, width))
    values[np.arange(count), targets] += 2
    values = values * np.geomspace(1e-3, 1e3, width) + 5
    values[:, -1] = 7
    return values.astype(np.float32), targets


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_margins_are_those_of_a_plain_scikit_learn_pipeline(
    class_weights: Literal["none", "balanced"],
) -> None:
    values, targets = table((0, 1, 2, 3))
    weight = "balanced" if class_weights == "balanced" else None
    # The primal solver: another way to the same optimum.
    plain = make_pipeline(
        StandardScaler(), LinearSVC(C=0.01, dual=False, tol=1e-8, class_weight=weight, max_iter=10_000)
    ).fit(values.astype(np.float64), targets)
    found = fit_classifier(SVM, values, targets, 4, class_weights)
    expected = plain.decision_function(values.astype(np.float64))
    np.testing.assert_allclose(found.scores(values), expected, atol=2e-3)
    assert np.mean(found.predict(values).argmax(axis=1) == plain.predict(values)) > 0.99


@pytest.mark.parametrize("classes", [(0, 1, 2, 3), (0, 1)])
def test_posteriors_of_the_discriminant_analysis_against_its_formula(classes: tuple[int, ...]) -> None:
    """log p(c | x) = log π_c + wᵀx − ½ wᵀμ_c up to a constant, w = Σ⁻¹ μ_c, Σ shrunk."""
    values, targets = table(classes)
    x = (values.astype(np.float64) - values.mean(0, dtype=np.float64)) / np.maximum(values.std(0), 1e-6)
    x[:, -1] = 0
    means = np.stack([x[targets == c].mean(0) for c in classes])
    share = np.array([(targets == c).mean() for c in classes])
    within = sum((targets == c).mean() * np.cov(x[targets == c], rowvar=False, bias=True) for c in classes)
    shrunk = 0.8 * within + 0.2 * np.trace(within) / len(within) * np.eye(len(within))
    w = np.linalg.solve(shrunk, means.T)
    scores = x @ w - 0.5 * np.einsum("cd,dc->c", means, w) + np.log(share)
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    found = fit_classifier(LDA, values, targets, len(classes)).predict(values)
    # scikit-learn shrinks the correlations of each class, whose trace differs a little.
    np.testing.assert_allclose(found, expected, atol=0.06)
    plain = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.2)).fit(
        values, targets
    )
    np.testing.assert_allclose(found, plain.predict_proba(values), atol=1e-3)


@BOTH
def test_class_weights_matter(spec: LinearSpec) -> None:
    values, targets = table((0, 1, 2, 3))
    plain, balanced = (fit_classifier(spec, values, targets, 4, name) for name in ("none", "balanced"))
    assert np.abs(plain.scores(values) - balanced.scores(values)).max() > 0.01


def test_probabilities_are_a_softmax_of_the_margins() -> None:
    values, targets = table((0, 1, 2))
    found = fit_classifier(SVM, values, targets, 3)
    exponentials = np.exp(found.scores(values))
    probabilities = found.predict(values)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities, exponentials / exponentials.sum(axis=1, keepdims=True))


@BOTH
@pytest.mark.parametrize("present", [(0, 2, 5), (1, 4)])
def test_classes_that_were_not_trained_have_no_probability(
    spec: LinearSpec, present: tuple[int, ...]
) -> None:
    values, targets = table(present)
    probabilities = fit_classifier(spec, values, targets, 6).predict(values)
    assert probabilities.shape == (len(values), 6)
    absent = sorted(set(range(6)) - set(present))
    assert (probabilities[:, absent] == 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == targets).mean() > 0.8


@BOTH
def test_the_same_table_gives_the_same_classifier_and_regularisation_matters(spec: LinearSpec) -> None:
    values, targets = table((0, 1, 2))
    first, second = fit_classifier(spec, values, targets, 3), fit_classifier(spec, values, targets, 3)
    assert np.array_equal(first.coef, second.coef)
    stronger = spec.model_copy(update={"c": 1e-4, "shrinkage": 1.0})
    weaker = fit_classifier(stronger, values, targets, 3)
    assert np.linalg.norm(weaker.coef) < 0.8 * np.linalg.norm(first.coef)


def test_a_classifier_is_saved_and_loaded_whole(tmp_path: Path) -> None:
    values, targets = table((0, 2))
    found = fit_classifier(SVM, values, targets, 4)
    found.save(tmp_path / "linear.safetensors")
    loaded = LinearClassifier.load(tmp_path / "linear.safetensors")
    assert np.array_equal(loaded.predict(values), found.predict(values))


@BOTH
def test_one_class_alone_is_refused(spec: LinearSpec) -> None:
    with pytest.raises(RunError, match="all 120 training samples are of class 3"):
        fit_classifier(spec, *table((3,)), 7)


def test_a_file_that_is_no_classifier_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(RunError, match="cannot read"):
        LinearClassifier.load(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(RunError, match="cannot read"):
        LinearClassifier.load(path)
    four = {"mean": np.ones(3), "scale": np.ones(3), "coef": np.ones((2, 3)), "intercept": np.ones(2)}
    save_file({**four, "coef": np.ones((3, 2))}, path)
    with pytest.raises(RunError, match="do not fit together"):
        LinearClassifier.load(path)
    del four["scale"]
    save_file(four, path)
    with pytest.raises(RunError, match=r"cannot read.*scale"):
        LinearClassifier.load(path)
