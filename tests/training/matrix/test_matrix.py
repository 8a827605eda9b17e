"""Matrices of corpora in which the result of every cell is known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from featurestore.cluster.request import ClusterRequest
from schemas.errors import RunError, StoppedError, UsageError
from tests.training.matrix.conftest import recipe
from training import unfinished
from training.campaign import Outcome, train_all
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, MatrixRequest, Step, TrainRequest
from training.runs.run import RunFolder
from training.verify import verify_run

CPU = Hardware("cpu")


def trained(store: Path, out: Path, *changes: str, steps: tuple[Step, ...] = ()) -> Outcome:
    request = TrainRequest(
        store=store, recipe=recipe(), changes=changes, matrix=MatrixRequest(steps), output=out, hardware=CPU
    )
    return train_all(request, None, SilentObserver())


@pytest.fixture(scope="module")
def matrix(differing_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    out = tmp_path_factory.mktemp("runs")
    datasets = 'datasets=["alpha", "beta", "gamma", "plain"]'
    return trained(differing_store, out, datasets, steps=("balance",))


@pytest.fixture(scope="module")
def cells(matrix: Outcome) -> dict[tuple[str | None, str, str], dict]:
    """Cells of the summary by step, training corpora joined by ``+`` and test corpus."""
    found = json.loads((matrix.path / "summary.json").read_text())["cells"]
    return {(cell["step"], "+".join(cell["train"]), cell["test"]): cell for cell in found}


def test_every_pair_has_its_known_result(cells: dict) -> None:
    uas = {key: cell["test_result"]["ua"] for key, cell in cells.items() if not cell["refused"]}
    assert uas[None, "alpha", "alpha"] == uas[None, "gamma", "gamma"] == uas[None, "beta", "beta"] == 1.0
    assert uas[None, "alpha", "beta"] == uas[None, "beta", "alpha"] == 1.0
    # Of three classes, two are swapped.
    for pair in (("alpha", "gamma"), ("gamma", "alpha"), ("beta", "gamma"), ("gamma", "beta")):
        assert uas[(None, *pair)] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("split.protocol=random", "split.leak_views=true"), "split.leak_views is true, but each cell"),
        (
            ("split.protocol=cross-corpus", 'split.train_corpora=["alpha"]', 'split.test_corpora=["beta"]'),
            "split.train_corpora is alpha, but each cell",
        ),
    ],
)
def test_a_split_that_cells_would_drop_is_refused(
    differing_store: Path, tmp_path: Path, changes: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        trained(differing_store, tmp_path, *changes)
    assert not list(tmp_path.iterdir())


def test_classes_are_those_that_training_and_test_share(cells: dict) -> None:
    assert cells[None, "alpha", "alpha"]["classes"] == ["angry", "happy", "neutral", "sad"]
    for key in (("alpha", "beta"), ("beta", "alpha"), ("alpha+gamma+plain", "beta")):
        cell = cells[(None, *key)]
        assert cell["classes"] == ["angry", "happy", "sad"]
        assert cell["chance_ua"] == pytest.approx(1 / 3)
    assert cells[None, "beta+gamma+plain", "alpha"]["classes"] == ["angry", "happy", "neutral", "sad"]


def test_a_pair_with_one_common_class_is_refused_and_the_others_are_trained(
    cells: dict, matrix: Outcome
) -> None:
    assert cells[None, "alpha", "plain"]["refused"] == "alpha and plain share 1 class: neutral"
    assert cells[None, "beta", "plain"]["refused"] == (
        "beta and plain share 0 classes: none of the label set's"
    )
    assert cells[None, "plain", "plain"]["refused"] == "plain has 1 class: neutral"
    assert "alpha → plain was not trained: alpha and plain share 1 class: neutral." in matrix.text
    assert {cell["refused"] is None for cell in cells.values()} == {True, False}


def test_a_cell_is_the_test_of_its_runs_on_speakers_they_have_not_heard(cells: dict, matrix: Outcome) -> None:
    for (_, train, test), cell in cells.items():
        for name in cell.get("runs", ()):
            record = json.loads((matrix.path / name / "run.json").read_text())
            assert {speaker.split("/")[0] for speaker in record["heard"]} <= {*train.split("+")}
            table = pd.read_csv(matrix.path / name / "predictions.csv")
            assert set(table["dataset"]) == {test}
            assert not set(table["speaker"]) & set(record["heard"])
        if cell.get("runs"):
            parts = [pd.read_csv(matrix.path / name / "predictions.csv") for name in cell["runs"]]
            table = pd.concat(parts)
            ua = balanced_accuracy_score(table["true"], table["predicted"])
            assert cell["test_result"]["ua"] == pytest.approx(ua)
            assert table["clip_id"].is_unique
    assert len(cells[None, "alpha", "alpha"]["runs"]) == 2


def test_intervals_need_three_speakers(cells: dict, matrix: Outcome) -> None:
    assert cells[None, "alpha", "beta"]["test_result"]["intervals"] is None
    assert cells[None, "alpha", "gamma"]["test_result"]["intervals"]["speakers"] == 4
    assert "beta (2 speakers): no interval" in " ".join(matrix.text.split())


def test_balance_repeats_clips_of_smaller_corpora_and_shows_the_change(cells: dict, matrix: Outcome) -> None:
    """Without balance, gamma outvotes beta: it has twice as many clips."""
    balanced = cells["balance", "beta+gamma+plain", "alpha"]
    plain = cells[None, "beta+gamma+plain", "alpha"]
    change = balanced["test_result"]["ua"] - plain["test_result"]["ua"]
    assert balanced["ua_change"]["ua"] == pytest.approx(change)
    assert {key[1] for key in cells if key[0] == "balance"} == {
        "beta+gamma+plain", "alpha+gamma+plain", "alpha+beta+plain", "alpha+beta+gamma"
    }  # fmt: skip
    record = json.loads((matrix.path / balanced["runs"][0] / "run.json").read_text())
    assert record["recipe"]["train"]["balance"] == "corpus"


def test_the_folder_has_text_table_page_and_heat_map(matrix: Outcome) -> None:
    assert matrix.kind == "matrix"
    with pytest.raises(
        RunError, match=r"is a cross-corpus matrix; give the folder of one run, such as .*cell-01"
    ):
        RunFolder.find(matrix.path)
    names = {path.name for path in matrix.path.iterdir()}
    assert {
        "matrix.json", "summary.json", "summary.txt", "matrix.csv", "matrix.png", "report.html", "hashes.json"
    } <= names  # fmt: skip
    assert (matrix.path / "summary.txt").read_text() == matrix.text
    table = pd.read_csv(matrix.path / "matrix.csv")
    assert len(table) == 4 * 4 + 4 + 4
    assert verify_run(matrix.path).ok
    page = (matrix.path / "report.html").read_text()
    assert 'href="cell-02-alpha-to-beta/report.html"' in page
    assert matrix.text.startswith("cross-corpus matrix, speaker-independent\n")


@pytest.fixture(scope="module")
def levels(differing_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    out = tmp_path_factory.mktemp("levels")
    rms = 'features=[{kind = "rms"}]'
    return trained(differing_store, out, 'datasets=["near", "far"]', rms, steps=("normalise",))


def test_normalisation_by_corpus_removes_what_corpora_differ_in(levels: Outcome) -> None:
    """Of far, everything is quieter than the quietest of near: all of it is sad without normalisation."""
    found = json.loads((levels.path / "summary.json").read_text())["cells"]
    uas = {(cell["step"], cell["train"][0], cell["test"]): cell["test_result"]["ua"] for cell in found}
    assert uas[None, "near", "far"] == uas[None, "far", "near"] == 0.5
    assert uas["normalise", "near", "far"] == uas["normalise", "far", "near"] == 1.0
    assert uas[None, "near", "near"] == uas["normalise", "near", "near"] == 1.0
    changes = {(cell["train"][0], cell["test"]): cell["ua_change"] for cell in found if cell["step"]}
    assert changes["near", "far"] == {"ua": 0.5, "interval": None}
    claims = {cell["step"]: cell["claim"]["normalised_by_corpus"] for cell in found}
    assert claims == {None: False, "normalise": True}
    text = " ".join(levels.text.split())
    assert "test clips included (labels are not used)" in text
    assert "Mean change of UA: +0.0 points within a corpus, +50.0 points from one corpus to another." in text


def test_a_stopped_matrix_is_resumed_run_by_run(
    levels: Outcome, differing_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(levels.path, tmp_path / "matrix"))
    runs = sorted(path for path in folder.iterdir() if path.is_dir())
    kept = (runs[0] / "metrics.json").stat().st_mtime_ns
    shutil.rmtree(runs[1])
    (runs[2] / "hashes.json").unlink()
    (runs[2] / "metrics.json").unlink()
    for name in ("summary.json", "summary.txt", "report.html", "hashes.json"):
        (folder / name).unlink()
    request = TrainRequest(store=differing_store, resume=folder, hardware=CPU)
    with monkeypatch.context() as patch:
        patch.setattr(unfinished, "train", _stop)
        with pytest.raises(StoppedError, match=r"resume with: ser-train --resume .*matrix --store "):
            train_all(request, None, SilentObserver())
    again = train_all(request, None, SilentObserver())
    assert again.path == folder
    assert again.text == levels.text
    assert (runs[0] / "metrics.json").stat().st_mtime_ns == kept
    assert (folder / "summary.json").read_bytes() == (levels.path / "summary.json").read_bytes()


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_workers_train_what_is_unfinished(levels: Outcome, differing_store: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(levels.path, tmp_path / "matrix"))
    for run in sorted(path for path in folder.iterdir() if path.is_dir())[:2]:
        shutil.rmtree(run)
    request = TrainRequest(store=differing_store, resume=folder, hardware=CPU)
    again = train_all(request, ClusterRequest(workers=1), SilentObserver())
    assert again.text == levels.text


def test_a_matrix_needs_two_corpora_and_steps_that_change_something(
    differing_store: Path, tmp_path: Path
) -> None:
    for message, changes, steps in (
        ("needs at least two corpora, but there is only near", ['datasets=["near"]'], ()),
        ("--steps balance needs at least three corpora", ['datasets=["near", "far"]'], ("balance",)),
        (
            "the recipe has it already",
            ["input.representation=functionals", "input.normalise=corpus"],
            ("normalise",),
        ),
        ("the recipe has it already", ["train.balance=corpus"], ("balance",)),
        (
            "model A reads frames; choose a model such as functionals",
            ["model.name=A"],
            ("normalise",),
        ),
        (
            "labels.target is regression",
            ["labels.target=regression", "model.name=functionals-ridge", 'labels.dimensions=["valence"]'],
            (),
        ),
    ):
        with pytest.raises(UsageError, match=message):
            trained(differing_store, tmp_path, *changes, steps=steps)
    with pytest.raises(
        RunError, match="no cell of the matrix can be trained; within-near: near has 1 class: sad"
    ):
        trained(differing_store, tmp_path, 'datasets=["near", "plain"]', "labels.set=common6",
                'where=dataset == "plain" or emotion == "sad"')  # fmt: skip
    assert not list(tmp_path.iterdir())
