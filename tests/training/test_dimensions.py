"""Regressions from store to prediction, on ratings that are known quantities of the sounds."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from onnxruntime import InferenceSession

from featurestore.store import FeatureStore
from schemas.errors import RunError, StoppedError, UsageError
from tests import commands
from tests.once import Once
from tests.tiny_store import Builder
from tests.training.metrics.test_concordance import ccc_by_formula
from tests.training.rated import MLP, REGRESSION, RIDGE, TINY, rate_demo
from tests.training.serve.conftest import predicted, serving
from training.campaign import train_all
from training.evaluate import EvaluationRequest, evaluate_runs
from training.metrics.dimensions import DimensionEvaluation
from training.predict import Predictor
from training.report.result import RunResult
from training.runs.observer import AnyEpochResult, SilentObserver
from training.runs.request import Hardware
from training.serve.tokens import Tokens
from training.train import TrainRequest, train
from training.web.show import DemoRequest, show

CPU = Hardware(device="cpu")


@pytest.fixture(scope="session")
def rated_corpus(small_demo: Path, once: Once) -> Path:
    """Folder of 112 rated clips of 16 speakers with ``rated.csv``. Shared: do not change it."""
    return once("rated-corpus", lambda out: rate_demo(small_demo, out))


@pytest.fixture(scope="session")
def rated_store(rated_corpus: Path, tiny_build: Builder, once: Once) -> Path:
    """Its store. Shared: do not change it."""
    return once(
        "rated.zarr", lambda out: tiny_build(out, rated_corpus, f"rated={rated_corpus / 'rated.csv'}")
    )


@pytest.fixture(scope="module")
def request_of(rated_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TrainRequest]:
    """Function from changes of the tiny recipe to a request."""

    def make(*changes: str) -> TrainRequest:
        return TrainRequest(
            store=rated_store,
            recipe=TINY,
            changes=changes,
            hardware=CPU,
            output=tmp_path_factory.mktemp("runs"),
        )

    return make


@pytest.fixture(scope="module")
def ridge(request_of: Callable[..., TrainRequest]) -> RunResult:
    """A ridge regression, tested on speakers that it has not heard."""
    return train(request_of(*RIDGE, "split.test=0.25"))


@pytest.fixture(scope="module")
def perceptron(request_of: Callable[..., TrainRequest]) -> RunResult:
    """A perceptron on the same clips."""
    return train(request_of(*MLP))


def read_table(result: RunResult, name: str = "predictions.csv") -> pd.DataFrame:
    return pd.read_csv(result.folder.path / name)


def test_known_quantities_are_learnt_for_speakers_that_were_not_heard(
    ridge: RunResult, perceptron: RunResult
) -> None:
    for result in (ridge, perceptron):
        assert isinstance(result.test, DimensionEvaluation)
        assert result.claim.is_speaker_independent
        assert {*result.speakers["test"]}.isdisjoint(result.speakers["train"])
        assert result.test.names == ("valence", "arousal")
        assert result.test.ccc > 0.8, [score.ccc for score in result.test.per_dimension]


def test_metrics_are_those_of_the_table_of_predictions(ridge: RunResult) -> None:
    table, metrics = read_table(ridge), json.loads((ridge.folder.path / "metrics.json").read_text())
    for score in metrics["test"]["per_dimension"]:
        true, predicted = table[f"true_{score['name']}"], table[f"predicted_{score['name']}"]
        assert score["ccc"] == pytest.approx(ccc_by_formula(true.to_numpy(), predicted.to_numpy()), abs=1e-6)
        assert score["rmse"] == pytest.approx(np.sqrt(((true - predicted) ** 2).mean()), rel=1e-5)
    each = [score["ccc"] for score in metrics["test"]["per_dimension"]]
    assert metrics["test"]["ccc"] == pytest.approx(np.mean(each))
    assert metrics["test"]["support"] == len(table)


def test_labels_of_the_predictions_are_those_of_the_corpus(rated_corpus: Path, ridge: RunResult) -> None:
    given = pd.read_csv(rated_corpus / "rated.csv")
    rated = given.set_index("rated/" + given["file"].str.removesuffix(".wav"))
    table = read_table(ridge)
    np.testing.assert_allclose(table["true_arousal"], rated.loc[table["clip_id"], "arousal"], rtol=1e-12)
    assert ridge.notices[0] == "left out 12 of 112 clips: without a value of valence or arousal"


def test_a_folder_holds_predictions_against_labels_instead_of_a_confusion_matrix(
    ridge: RunResult, perceptron: RunResult
) -> None:
    for result in (ridge, perceptron):
        names = {path.name for path in result.folder.path.iterdir()}
        assert {"scatter.png", "README.md", "report.html", "predictions.csv", "validation.csv"} <= names
        assert not {"confusion.png", "confusion-emotion.png", "reliability.png"} & names
    card = (ridge.folder.path / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# Speech emotion regression: model functionals-ridge, trained on rated\n")
    assert "ridge regression, shrinkage chosen by cross-validation" in card
    page = (perceptron.folder.path / "report.html").read_text(encoding="utf-8")
    for part in ("Predictions against labels", "By speaker", "CCC valence", "1 - CCC per epoch"):
        assert part in page
    assert "Confusion" not in page


def test_text_starts_with_protocol_and_ccc(ridge: RunResult) -> None:
    assert ridge.report.startswith("speaker-independent (protocol: speaker): CCC 0.")
    assert "\nRMSE " in ridge.report
    assert "UA" not in ridge.report


def test_history_has_the_ccc_and_the_best_epoch_has_the_lowest_loss(perceptron: RunResult) -> None:
    rows = list(csv.DictReader((perceptron.folder.path / "history.csv").open()))
    assert {"validation_ccc", "validation_rmse"} <= {*rows[0]}
    losses = [float(row["validation_loss"]) for row in rows]
    assert perceptron.best_epoch == 1 + int(np.argmin(losses))
    for row in rows:
        assert float(row["validation_ccc"]) == pytest.approx(1 - float(row["validation_loss"]))
    assert isinstance(perceptron.validation, DimensionEvaluation)
    assert perceptron.validation.ccc == pytest.approx(1 - min(losses), abs=1e-5)


class StopAfter(SilentObserver):
    """Presses Ctrl-C after an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def epoch_done(self, result: AnyEpochResult) -> None:
        if result.epoch == self.epoch:
            raise KeyboardInterrupt


def test_a_resumed_run_ends_like_an_uninterrupted_one(
    request_of: Callable[..., TrainRequest], perceptron: RunResult, rated_store: Path
) -> None:
    request = replace(request_of(*MLP), name="stopped")
    with pytest.raises(StoppedError):
        train(request, StopAfter(3))
    assert request.output is not None
    folder = request.output / "stopped"
    resumed = train(TrainRequest(store=rated_store, resume=folder, hardware=CPU))
    for name in ("predictions.csv", "metrics.json"):
        assert (folder / name).read_bytes() == (perceptron.folder.path / name).read_bytes()
    assert [r.validation_loss for r in resumed.history] == [r.validation_loss for r in perceptron.history]


def test_networks_on_frames_predict_values(request_of: Callable[..., TrainRequest]) -> None:
    small = ("model.channels=[4]", "model.pools=[[2, 2]]", "model.hidden=8", "train.epochs=2")
    changes = ("labels.target=regression", 'labels.dimensions=["arousal"]', "train.mixup=0.2", *small)
    result = train(request_of(*changes))
    assert isinstance(result.test, DimensionEvaluation)
    assert result.test.names == ("arousal",)
    assert "README.md" in {path.name for path in result.folder.path.iterdir()}


def test_a_series_has_mean_and_deviation_of_its_folds(request_of: Callable[..., TrainRequest]) -> None:
    changes = (*RIDGE, "split.protocol=kfold", "split.folds=4")
    outcome = train_all(request_of(*changes), None, SilentObserver())
    assert outcome.kind == "series"
    values = json.loads(json.dumps(outcome.to_json()))
    over, folds = values["over_folds"], values["folds"]
    each = [fold["test"]["ccc"] for fold in folds]
    assert over["ccc"]["mean"] == pytest.approx(np.mean(each))
    assert over["ccc"]["sd"] == pytest.approx(np.std(each, ddof=1))
    table = pd.read_csv(outcome.path / "predictions.csv")
    assert len(table) == sum(fold["test"]["support"] for fold in folds) == 100
    pooled = [
        ccc_by_formula(table[f"true_{name}"].to_numpy(), table[f"predicted_{name}"].to_numpy())
        for name in ("valence", "arousal")
    ]
    assert values["pooled"]["ccc"] == pytest.approx(np.mean(pooled), abs=1e-6)
    assert "(protocol: kfold:4, 4 folds): CCC 0." in outcome.text
    names = {path.name for path in outcome.path.iterdir()}
    assert {"report.html", "scatter.png", "folds.png", "README.md", "summary.txt"} <= names
    again = commands.run("ser-evaluate", outcome.path, "--json")
    assert {**json.loads(again.stdout), "series": str(outcome.path)} == values


def test_a_test_on_the_own_store_gives_the_result_of_the_run(ridge: RunResult, rated_store: Path) -> None:
    tested = evaluate_runs(EvaluationRequest(runs=(ridge.folder.path,), store=rated_store, hardware=CPU))
    assert tested.evaluation == ridge.test
    assert tested.report.splitlines()[0] == ridge.report.splitlines()[0]


def test_a_recording_gets_the_values_that_its_clip_has(
    perceptron: RunResult, ridge: RunResult, rated_corpus: Path
) -> None:
    for result in (perceptron, ridge):
        predictor = Predictor.open(result.folder.path, device="cpu")
        assert predictor.dimensions == ("valence", "arousal")
        row = read_table(result).iloc[0]
        file = rated_corpus / f"{row['clip_id'].partition('/')[2]}.wav"
        found = predictor.predict(file).results
        assert found is not None
        expected = [row["predicted_valence"], row["predicted_arousal"]]
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_predictions_are_printed_with_their_names(ridge: RunResult, rated_corpus: Path) -> None:
    clip = min(rated_corpus.glob("*/*.wav"))
    text = commands.run("ser-predict", ridge.folder.path, clip)
    header, line = text.stdout.splitlines()
    assert header.split() == ["from", "to", "valence", "arousal", "clip"]
    assert "CCC 0." in text.stderr
    table = commands.run("ser-predict", ridge.folder.path, clip, "--csv")
    (row,) = csv.DictReader(table.stdout.splitlines())
    document = json.loads(commands.run("ser-predict", ridge.folder.path, clip, "--json").stdout)
    (prediction,) = document["clips"][0]["predictions"]
    assert document["dimensions"] == ["valence", "arousal"]
    assert isinstance(ridge.test, DimensionEvaluation)
    assert document["models"][0]["ccc"] == pytest.approx(ridge.test.ccc)
    assert float(row["arousal"]) == pytest.approx(prediction["values"]["arousal"], abs=1e-6)
    assert f"{prediction['values']['arousal']:#.3g}" in line


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ridge", "perceptron"])
def test_an_exported_graph_gives_the_values_of_the_table(
    model: str, request: pytest.FixtureRequest, rated_store: Path, tmp_path: Path
) -> None:
    result: RunResult = request.getfixturevalue(model)
    onnx = tmp_path / "model.onnx"
    commands.run("ser-export", result.folder.path, onnx)
    document = json.loads((tmp_path / "model.json").read_text())
    assert document["dimensions"] == ["valence", "arousal"]
    assert (
        document["result"]["ccc"]
        == json.loads((result.folder.path / "metrics.json").read_text())["test"]["ccc"]
    )
    store, table = FeatureStore.open(rated_store), read_table(result)
    clips = pd.Index(store.manifest["clip_id"]).get_indexer(table["clip_id"])
    arrays = store.read(clips, views=(0,), features=result.record.features)
    features = np.concatenate([arrays[name][0] for name in result.record.features], axis=1)
    inputs = {
        "features": features.astype(np.float32),
        "valid_frames": store.valid_frames(clips, (0,), result.record.features[0])[0],
    }
    (values,) = InferenceSession(onnx).run(["values"], inputs)
    # In float32, unlike the ridge regression: within a hundredth of the labels' deviations, 0.4 and 0.6.
    expected = table[["predicted_valence", "predicted_arousal"]]
    np.testing.assert_allclose(values, expected, atol=4e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["model.name=functionals-lda"], "functionals-lda classifies .*set model.classifier=ridge"),
        (["train.class_weights=balanced"], "class_weights balanced is for classes"),
        (["train.label_smoothing=0.1"], "set train.label_smoothing=0"),
        (["train.monitor=ua"], "train.monitor ua is for classes"),
        (["train.batch_size=1"], "give at least 2"),
        (['labels.dimensions=["valence", "valence"]'], "listed twice"),
    ],
)
def test_what_is_for_classes_is_refused(
    request_of: Callable[..., TrainRequest], changes: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        train(request_of(*REGRESSION, *changes))


def test_ratings_that_a_store_lacks_are_refused_before_a_folder_is_made(
    request_of: Callable[..., TrainRequest], small_store: Path
) -> None:
    request = request_of(*RIDGE)
    with pytest.raises(RunError, match="none of the clips that the recipe trains on has any"):
        train(replace(request, store=small_store))
    with pytest.raises(RunError, match="112 of 112 clips: without a value of valence or dominance"):
        train(replace(request, changes=(*RIDGE, 'labels.dimensions=["valence", "dominance"]')))
    assert request.output is not None
    assert not [*request.output.iterdir()]


def test_several_processes_views_averages_and_pages_are_refused(
    request_of: Callable[..., TrainRequest],
    ridge: RunResult,
    perceptron: RunResult,
    rated_store: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two = ridge.folder.path, perceptron.folder.path
    with pytest.raises(RunError, match="only probabilities of several models are averaged"):
        evaluate_runs(EvaluationRequest(runs=(one, two), store=rated_store, hardware=CPU))
    views = commands.run("ser-evaluate", one, "--views", "all", "--store", rated_store, status=2)
    assert "but --views compares UA; leave out --views" in " ".join(views.stderr.split())
    with pytest.raises(RunError, match="the page shows emotions; use ser-predict"):
        show(DemoRequest(run=one, device="cpu", port=0), lambda _: None, lambda _: None)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="torchrun splits each batch"):
        train(request_of(*RIDGE))


def test_two_regressions_on_the_same_clips_are_compared(
    ridge: RunResult, request_of: Callable[..., TrainRequest]
) -> None:
    """Against one that hears nothing but the mean, almost."""
    deaf = train(request_of(*RIDGE, "split.test=0.25", "model.shrinkage=0.999"))
    runs = (ridge.folder.path, "--against", deaf.folder.path)
    found = json.loads(commands.run("ser-evaluate", *runs, "--json").stdout)["comparisons"][0]
    both = [read_table(each) for each in (ridge, deaf)]
    names = ("valence", "arousal")
    ccc = [
        np.mean(
            [ccc_by_formula(*(t[f"{kind}_{n}"].to_numpy() for kind in ("true", "predicted"))) for n in names]
        )
        for t in both
    ]
    assert found["overall"][0]["figure"] == "CCC"
    assert [found["overall"][0][side] for side in ("result", "baseline")] == pytest.approx(ccc, abs=1e-6)
    assert found["mcnemar"] is None
    assert found["overall"][0]["interval"]["low"] > 0
    assert found["verdict"] == {"claim": None, "reason": "few speakers"}


def test_the_service_answers_with_the_values_of_ser_predict(ridge: RunResult, rated_corpus: Path) -> None:
    clip = sorted(rated_corpus.rglob("*.wav"))[3]
    expected = predicted(ridge.folder.path, clip)
    with serving((ridge.folder.path,), Tokens()) as asked, asked.client() as client:
        found = client.post("/v1/predict", content=clip.read_bytes()).json()
        assert client.get("/v1/model").json()["dimensions"] == expected["dimensions"]
    assert "emotions" not in found
    assert found["dimensions"] == expected["dimensions"]
    (one,), (two,) = found["clips"][0]["predictions"], expected["clips"][0]["predictions"]
    assert one["values"] == pytest.approx(two["values"], abs=1e-6)
