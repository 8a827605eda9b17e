"""Tests on the stored views of the test clips, against plain arithmetic on the stored arrays."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from safetensors.numpy import load_file
from sklearn.metrics import balanced_accuracy_score

from featurestore.store import FeatureStore
from schemas.errors import RunError, UnknownNameError, UsageError
from schemas.overrides import override
from schemas.recipe import Recipe
from tests import commands
from tests.encoder_store import vector_recipe
from tests.training.report.page.reading import Page
from training.campaign import train_all
from training.evaluate import EvaluationRequest, evaluate_runs
from training.plan import make
from training.report.robustness import Robustness
from training.report.robustness_text import robustness_text
from training.robustness import measure_runs, measure_series
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, TrainRequest
from training.samples.view_choice import choose_views

CPU = Hardware("cpu")
LAYER_3, WIDTH = 1, 32


def recipe() -> Recipe:
    return vector_recipe("lda", "kfold:2")


def trained(store: Path, out: Path, *changes: str) -> Path:
    request = TrainRequest(store=store, recipe=override(recipe(), [*changes]), output=out, hardware=CPU)
    return train_all(request, None, SilentObserver()).path


@pytest.fixture(scope="module", autouse=True)
def no_search_for_near_duplicates() -> Iterator[None]:
    """It takes most of the time of such a training, and is tested with the audits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "near_duplicates", lambda store, split: None)
        yield


@pytest.fixture(scope="module")
def series(encoder_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(encoder_store, tmp_path_factory.mktemp("lda"))


@pytest.fixture(scope="module")
def other(encoder_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model on the same folds, trained on originals only."""
    changes = ("train.views=[0]", "model.shrinkage=0.98")
    return trained(encoder_store, tmp_path_factory.mktemp("other"), *changes)


@pytest.fixture(scope="module")
def found(series: Path, encoder_store: Path) -> Robustness:
    return measure_series([series], EvaluationRequest((), encoder_store, hardware=CPU), "all")


def plain_probabilities(run: Path, store: Path, view: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The test clips of a run, and its linear model's probabilities for them in one view."""
    record = json.loads((run / "run.json").read_text())
    tested = json.loads((run / "split.json").read_text())["test"]
    manifest = pd.read_parquet(store / "manifest.parquet")
    clips = manifest[manifest["clip_id"].isin(list(tested)) & manifest["emotion"].isin(record["classes"])]
    stored = np.asarray(zarr.open_array(store / "demo" / "pooled", mode="r")[view])[clips["row"], :, 0]
    # Layers × statistics × width: the mean of layer 3, the second of two layers.
    x = stored.reshape(len(clips), 2, 2, WIDTH)[:, LAYER_3, 0].astype(np.float64)
    model = load_file(run / "linear.safetensors")
    scores = ((x - model["mean"]) / model["scale"]) @ model["coef"].T + model["intercept"]
    scores /= model["temperature"][0] if "temperature" in model else 1.0
    scores -= scores.max(axis=1, keepdims=True)
    return clips, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def plain_ua(run: Path, store: Path, view: int) -> float:
    classes = np.array(json.loads((run / "run.json").read_text())["classes"])
    clips, probabilities = plain_probabilities(run, store, view)
    return float(balanced_accuracy_score(clips["emotion"], classes[probabilities.argmax(axis=1)]))


def test_each_view_has_the_ua_of_plain_arithmetic(
    found: Robustness, series: Path, encoder_store: Path
) -> None:
    store = FeatureStore.open(encoder_store)
    assert [view.name for view in found.views] == list(store.spec.view_names)
    runs = [series / f"fold-{number}" for number in (1, 2)]
    for view in found.views:
        expected = [plain_ua(run, encoder_store, view.index) for run in runs]
        assert [fold.ua for fold in view.folds] == pytest.approx(expected)
        assert view.over_folds.ua.mean == pytest.approx(np.mean(expected))
        assert view.over_folds.ua.sd == pytest.approx(np.std(expected, ddof=1))
        clean = [plain_ua(run, encoder_store, 0) for run in runs]
        changes = np.subtract(expected, clean)
        assert found.change(view).mean == pytest.approx(changes.mean())
        assert found.change(view).sd == pytest.approx(changes.std(ddof=1))
        assert view.clips == len(store.manifest)
        assert view.in_training == (view.index in (0, 2))
    assert any(found.change(view).mean != 0 for view in found.views[1:])


def test_the_original_has_the_result_of_the_series(found: Robustness, series: Path) -> None:
    summary = json.loads((series / "summary.json").read_text())
    assert [fold.ua for fold in found.original.folds] == [
        fold["test"]["emotion"]["ua"] for fold in summary["folds"]
    ]
    assert found.claim.title == summary["title"]
    assert [[part.to_json() for part in fold] for fold in found.sentences] == [
        fold["sentences"] for fold in summary["folds"]
    ]


def test_a_run_has_intervals_and_the_views_that_were_named(series: Path, encoder_store: Path) -> None:
    run = series / "fold-1"
    request = EvaluationRequest((run,), encoder_store, hardware=CPU)
    names = FeatureStore.open(encoder_store).spec.view_names
    found = measure_runs(request, names[2])
    assert [view.index for view in found.views] == [0, 2]
    assert found.original.folds == (evaluate_runs(request).evaluation.emotion,)
    rows = [line for line in robustness_text(found).splitlines() if line.startswith((*names,))]
    bounds = found.views[1].folds[0].intervals
    assert bounds is not None
    assert f"{100 * bounds.ua.low:.1f}–{100 * bounds.ua.high:.1f}" in rows[1]
    assert rows[1].split()[-1] == str(found.original.clips)


def test_of_several_models_the_mean_is_tested_with_their_weights(
    series: Path, other: Path, encoder_store: Path
) -> None:
    request = EvaluationRequest((), encoder_store, weighting="validation", hardware=CPU)
    found = measure_series([series, other], request, "1")
    assert len(found.weights) == 2
    predictions = pd.read_csv(_csv(found)).set_index(["clip_id", "view"])
    for number, weights in enumerate(found.weights, 1):
        for view in (0, 1):
            parts = [
                plain_probabilities(each / f"fold-{number}", encoder_store, view) for each in (series, other)
            ]
            clips = parts[0][0]["clip_id"]
            mean = sum(w * p for w, (_, p) in zip(weights.shares, parts, strict=True))
            rows = predictions.loc[[(clip, view) for clip in clips]]
            np.testing.assert_allclose(rows.iloc[:, -mean.shape[1] :], mean, atol=1e-5)
    assert (found.models, found.views[1].in_training) == (2, 0)
    assert found.original.in_training == 2
    assert found.subject.startswith("weighted mean of 2 models (lda × 2)")
    text = robustness_text(found)
    assert "weights in fold" in text
    both = measure_series([series, other], EvaluationRequest((), encoder_store, hardware=CPU), "2")
    assert f"{both.views[1].in_training} of 2" == "1 of 2"
    assert " 1 of 2 " in robustness_text(both)


def _csv(found: Robustness) -> io.StringIO:
    return io.StringIO(found.predictions.to_csv())


def test_the_command_prints_a_table_and_writes_a_folder(
    found: Robustness, series: Path, encoder_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = commands.run("ser-evaluate", series, "--views", "all", "--store", encoder_store, "--out", out)
    assert done.stdout.strip() == robustness_text(found).strip()
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert {path.name for path in out.iterdir()} == {
        "predictions.csv", "report.txt", "robustness.csv", "robustness.json", "robustness.png", "report.html",
    }  # fmt: skip
    values = json.loads((out / "robustness.json").read_text())
    assert values == json.loads(json.dumps(found.to_json()))
    rows = list(csv.DictReader((out / "robustness.csv").open()))
    assert len(rows) == 2 * len(found.views)
    for view in values["views"]:
        of_view = [float(row["ua"]) for row in rows if row["view"] == view["name"]]
        assert np.mean(of_view) == pytest.approx(view["over_folds"]["ua"]["mean"])
    table = pd.read_csv(out / "predictions.csv")
    assert set(table["view"]) == {view.index for view in found.views}
    page = Page((out / "report.html").read_text())
    cells = page.table("view")
    assert list(cells) == [view.name for view in found.views]
    mean, sd = (100 * getattr(found.views[1].over_folds.ua, part) for part in ("mean", "sd"))
    assert f"{mean:.1f} ± {sd:.1f} %" in cells[found.views[1].name]
    assert [link for link in page.links if not link.startswith("#")]
    assert all((out / link).is_file() for link in page.links if not link.startswith("#"))
    recalls = page.table("recall of")
    right = table[(table["view"] == 0) & (table["true"] == "angry")]
    assert recalls["angry"][0] == f"{100 * (right['predicted'] == 'angry').mean():.1f} %"


def test_views_are_chosen_by_name_or_number() -> None:
    names = ("original", "noise", "pitch+2", "pitch-2")
    assert choose_views("all", names) == (0, 1, 2, 3)
    assert choose_views("pitch-2, noise", names) == (0, 1, 3)
    assert choose_views("0,2-3", names) == (0, 2, 3)
    with pytest.raises(
        UnknownNameError, match=r"no view 'noisy'; did you mean 'noise'\? it has original \(0\)"
    ):
        choose_views("noisy", names)
    for wrong in ("4", "3-2", "1-9", ""):
        with pytest.raises(UnknownNameError, match="the store has no view"):
            choose_views(wrong, names)
    with pytest.raises(UsageError, match="the original is always tested; add others"):
        choose_views("original", names)
    with pytest.raises(UsageError, match="the store has only the original; build it with --augment"):
        choose_views("all", names[:1])


def test_requests_that_have_no_answer_are_a_sentence(
    series: Path, encoder_store: Path, demo_store: Path, tmp_path: Path
) -> None:
    def refused(*options: object, status: int = 2) -> str:
        done = commands.run("ser-evaluate", *options, status=status)
        return " ".join(done.stderr.split())

    assert "leave out --where" in refused(series, "--views", "all", "--where", "snr_db > 1")
    assert "leave out --views" in refused(series, "--views", "all", "--verify")
    with pytest.raises(RunError, match="was trained on another store"):
        measure_series([series], EvaluationRequest((), demo_store, hardware=CPU), "all")
    leaky = trained(encoder_store, tmp_path, "split.protocol=random", "split.leak_views=true")
    with pytest.raises(UsageError, match="puts views of one recording on several sides"):
        measure_runs(EvaluationRequest((leaky,), encoder_store, hardware=CPU), "all")
