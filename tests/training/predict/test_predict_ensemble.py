"""Several runs asked as one, and what they are worth."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from schemas.errors import RunError, UsageError
from schemas.overrides import override
from schemas.recipe import load_recipe
from tests.training.damaged import without_hashes
from tests.training.predict.test_predict import CHANGES, called, trained
from training.campaign import train_all
from training.predict.ensemble import Ensemble
from training.predict.predictor import Predictor
from training.predict.worth import Worth, worth_notes
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, TrainRequest


@pytest.fixture(scope="module")
def series(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds of a linear classifier."""
    changes = [*CHANGES, "model.name=functionals", "split.protocol=kfold:2"]
    out = tmp_path_factory.mktemp("series")
    request = TrainRequest(
        store=demo_store,
        recipe=override(load_recipe("four-corpora-c"), changes),
        output=out,
        hardware=Hardware("cpu"),
    )
    train_all(request, None, SilentObserver())
    (folder,) = out.iterdir()
    return folder


@pytest.fixture(scope="module")
def other(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a store of another rate and window: 16 kHz, 2 s."""
    folder = tmp_path_factory.mktemp("other")
    recipe = folder / "narrow.toml"
    recipe.write_text(
        'name = "narrow"\n[audio]\nsample_rate = 16000\nduration_s = 2.0\n[spectral]\nn_fft = 512\n'
        'hop_length = 160\n[[features]]\nkind = "mel"\nn_mels = 64\n[labels]\nset = "common7"\n'
        'target = "gender_emotion"\n[model]\nname = "functionals"\n',
        encoding="utf-8",
    )
    store = folder / "narrow.zarr"
    build(BuildRequest(store, small_demo, "demo", SpecRequest(recipe=str(recipe))))
    request = TrainRequest(
        store=store, recipe=load_recipe(str(recipe)), output=folder, name="run", hardware=Hardware("cpu")
    )
    train_all(request, None, SilentObserver())
    return folder / "run"


@pytest.fixture(scope="module")
def clip(small_demo: Path) -> Path:
    return sorted((small_demo / "demo").rglob("*.wav"))[5]


def by_hand(runs: list[Path], clip: Path) -> np.ndarray:
    each = [Predictor.open(run, "cpu").predict(clip).probabilities for run in runs]
    return np.mean([found for found in each if found is not None], axis=0)


def test_a_series_is_the_mean_of_its_folds(series: Path, clip: Path) -> None:
    model = Ensemble.open([series], "cpu")
    assert [path.name for path in model.runs] == ["fold-1", "fold-2"]
    assert len(model.predictors) == 1  # the folds have the same features: a recording is heard once
    folds = [series / "fold-1", series / "fold-2"]
    each = [Predictor.open(fold, "cpu").predict(clip).probabilities for fold in folds]
    assert each[0] is not None
    assert each[1] is not None
    assert not np.allclose(*each, atol=1e-3)
    np.testing.assert_allclose(model.predict(clip).probabilities, (each[0] + each[1]) / 2, atol=1e-12)


def test_every_run_counts_the_same_whatever_its_pipeline(series: Path, other: Path, clip: Path) -> None:
    model = Ensemble.open([other, series], "cpu")
    assert model.shares == (1, 2)
    assert model.window_s == 2.0
    expected = by_hand([other, series / "fold-1", series / "fold-2"], clip)
    np.testing.assert_allclose(model.predict(clip).probabilities, expected, atol=1e-12)
    windows = list(model.timeline(clip, 1.0, 0.5))
    alone = [list(Predictor.open(run, "cpu").timeline(clip, 1.0, 0.5)) for run in model.runs]
    assert len(windows) > 2
    for i, window in enumerate(windows):
        assert (window.start_s, window.stop_s) == (alone[0][i].start_s, alone[0][i].stop_s)
        mean = np.mean([found[i].probabilities for found in alone], axis=0)
        np.testing.assert_allclose(window.probabilities, mean, atol=1e-12)


def test_one_run_says_what_its_predictor_says(other: Path, clip: Path) -> None:
    model, alone = Ensemble.open([other], "cpu"), Predictor.open(other, "cpu")
    np.testing.assert_array_equal(model.predict(clip).probabilities, alone.predict(clip).probabilities)


def test_what_cannot_be_averaged_is_refused(
    series: Path, other: Path, demo_store: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="given twice"):
        Ensemble.open([series, series / "fold-2"], "cpu")
    six = trained(demo_store, tmp_path / "six", "functionals", "labels.set=common6").folder.path
    with pytest.raises(RunError, match=r"predicts the emotions of common6.*those of common7"):
        Ensemble.open([other, six], "cpu")
    unfinished = tmp_path / "unfinished"
    shutil.copytree(series, unfinished)
    (without_hashes(unfinished) / "fold-2" / "metrics.json").unlink()
    with pytest.raises(RunError, match=r"fold 2 of .*ser-train --resume"):
        Ensemble.open([unfinished], "cpu")


def test_worth_is_that_of_the_results(series: Path, other: Path, tmp_path: Path) -> None:
    metrics = json.loads((other / "metrics.json").read_text())
    worth = Worth.of(other)
    assert worth is not None
    assert (worth.claim.title, worth.ua) == (metrics["title"], metrics["test"]["emotion"]["ua"])
    summary = json.loads((series / "summary.json").read_text())
    folds = Worth.of(series)
    assert folds is not None
    interval = summary["pooled"]["emotion"]["intervals"]["ua"]
    assert (folds.ua, folds.low, folds.high, folds.folds) == (
        summary["pooled"]["emotion"]["ua"],
        interval["low"],
        interval["high"],
        2,
    )
    assert f"UA {100 * folds.ua:.1f} % over the clips of all folds (95 % interval " in folds.sentence
    assert "averaged over several models" in worth_notes([series], [folds])[-1]
    one = folds.model_copy(update={"folds": 1})  # a search with a protocol of one split
    assert "all folds" not in one.sentence
    assert worth_notes([series], [one]) == [f"{series}: {one.sentence}"]
    assert len(worth_notes([series, other], [one, None])) == 3
    for run, file, values in ((other, "metrics.json", metrics), (series, "summary.json", summary)):
        older = shutil.copytree(run, tmp_path / f"older-{run.name}")
        (older / file).write_text(json.dumps({k: v for k, v in values.items() if k != "claim"}))
        of_older = Worth.of(older)
        assert of_older is not None
        assert of_older.claim.to_json() == values["claim"], "from split and recipe"
    assert Worth.of(tmp_path) is None
    (tmp_path / "metrics.json").write_text('{"title": "x", "test": {"emotion": {"ua": 7}}}')
    with pytest.raises(RunError, match="has no valid result"):
        Worth.of(tmp_path)


def test_a_leaky_result_comes_with_its_warning(demo_store: Path, clip: Path, tmp_path: Path) -> None:
    changes = ("split.protocol=random",)
    run = trained(demo_store, tmp_path, "functionals", *changes).folder.path
    status, _, err = called(run, clip)
    assert status == 0
    assert "speaker-dependent: training heard the test speakers" in err
    metrics = json.loads((run / "metrics.json").read_text())
    renamed = {**metrics, "title": "speaker-independent (protocol: speaker)"}
    (without_hashes(run) / "metrics.json").write_text(json.dumps(renamed))
    status, text, _ = called(run, clip, "--json")
    (model,) = json.loads(text)["models"]
    assert model["protocol"] == "speaker-dependent (protocol: random)", "whatever a title says"
    assert "says nothing about new speakers" in model["warning"]


def test_the_command_takes_series_and_further_runs(series: Path, other: Path, clip: Path) -> None:
    status, text, err = called(series, clip, "--with", other, "--json")
    assert (status, err) == (0, "")
    values = json.loads(text)
    assert [each["run"] for each in values["models"]] == [str(series), str(other)]
    expected = by_hand([series / "fold-1", series / "fold-2", other], clip)
    (prediction,) = values["clips"][0]["predictions"]
    found = [prediction["probabilities"][emotion] for emotion in values["emotions"]]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    status, _, err = called(series, clip)
    assert status == 0
    assert "kfold:2, 2 folds): UA" in err
    assert "the average itself was not tested" in err
