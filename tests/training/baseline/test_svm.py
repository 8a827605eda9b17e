from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from schemas.architecture import FunctionalsSpec
from schemas.errors import RunError
from training.baseline.functionals import FunctionalTable
from training.baseline.svm import fit_baseline, load_baseline

SPEC = FunctionalsSpec(name="f", c=0.01)


def table(classes: tuple[int, ...], count: int = 120, width: int = 20) -> FunctionalTable:
    """Classes shift some columns; columns of different sizes, and one that never changes."""
    rng = np.random.default_rng(3)
    drawn = (len(classes) * rng.random(count) ** 2).astype(int)  # the first class most often
    targets = np.array(classes)[drawn]
    values = rng.normal(size=(count, width))
    values[np.arange(count), targets] += 2
    values = values * np.geomspace(1e-3, 1e3, width) + 5
    values[:, -1] = 7
    return FunctionalTable(values.astype(np.float32), targets, tuple(map(str, range(width))))


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_margins_are_those_of_a_plain_scikit_learn_pipeline(class_weights: str) -> None:
    train = table((0, 1, 2, 3))
    weight = "balanced" if class_weights == "balanced" else None
    # The primal solver: another way to the same optimum.
    plain = make_pipeline(
        StandardScaler(), LinearSVC(C=0.01, dual=False, tol=1e-8, class_weight=weight, max_iter=10_000)
    ).fit(train.values.astype(np.float64), train.targets)
    found = fit_baseline(SPEC, train, 4, class_weights)
    expected = plain.decision_function(train.values.astype(np.float64))
    np.testing.assert_allclose(found.margins(train.values), expected, atol=2e-3)
    assert np.mean(found.predict(train.values).argmax(axis=1) == plain.predict(train.values)) > 0.99


def test_class_weights_matter() -> None:
    train = table((0, 1, 2, 3))
    plain, balanced = (fit_baseline(SPEC, train, 4, name) for name in ("none", "balanced"))
    assert np.abs(plain.coef - balanced.coef).max() > 0.01


def test_probabilities_are_a_softmax_of_the_margins() -> None:
    train = table((0, 1, 2))
    found = fit_baseline(SPEC, train, 3)
    exponentials = np.exp(found.margins(train.values))
    probabilities = found.predict(train.values)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities, exponentials / exponentials.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("present", [(0, 2, 5), (1, 4)])
def test_classes_that_were_not_trained_have_no_probability(present: tuple[int, ...]) -> None:
    train = table(present)
    probabilities = fit_baseline(SPEC, train, 6).predict(train.values)
    assert probabilities.shape == (len(train), 6)
    absent = sorted(set(range(6)) - set(present))
    assert (probabilities[:, absent] == 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == train.targets).mean() > 0.8


def test_the_same_table_gives_the_same_machine_and_c_matters() -> None:
    train = table((0, 1, 2))
    first, second = fit_baseline(SPEC, train, 3), fit_baseline(SPEC, train, 3)
    assert np.array_equal(first.coef, second.coef)
    weaker = fit_baseline(SPEC.model_copy(update={"c": 1e-4}), train, 3)
    assert np.linalg.norm(weaker.coef) < 0.5 * np.linalg.norm(first.coef)


def test_a_machine_is_saved_and_loaded_whole(tmp_path: Path) -> None:
    train = table((0, 2))
    found = fit_baseline(SPEC, train, 4)
    found.save(tmp_path / "baseline.safetensors")
    loaded = load_baseline(tmp_path / "baseline.safetensors")
    assert np.array_equal(loaded.predict(train.values), found.predict(train.values))


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(RunError, match="all 120 training samples are of class 3"):
        fit_baseline(SPEC, table((3,)), 7)


def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(RunError, match="cannot be read"):
        load_baseline(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(RunError, match="cannot be read"):
        load_baseline(path)
    four = {"mean": np.ones(3), "scale": np.ones(3), "coef": np.ones((2, 3)), "intercept": np.ones(2)}
    save_file({**four, "coef": np.ones((3, 2))}, path)
    with pytest.raises(RunError, match="do not fit together"):
        load_baseline(path)
    del four["scale"]
    save_file(four, path)
    with pytest.raises(RunError, match=r"cannot be read.*scale"):
        load_baseline(path)
