"""The text, table, page and heat map of a matrix, from cells made by hand."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from schemas.labels import Target, label_set_of
from tests.training.claims import claim
from training.metrics.bootstrap import Interval
from training.metrics.evaluation import evaluate
from training.metrics.scores import Scores
from training.report.matrix.figure import matrix_figure
from training.report.matrix.result import Cell, CellResult, Matrix, StepEffect
from training.report.matrix.text import cell_rows, effect_rows, grid_rows, matrix_text
from training.runs.matrix import CellKind, MatrixCell
from training.runs.request import Step

CLASSES = ("angry", "sad")


@pytest.fixture(autouse=True, scope="module")
def blank_pictures() -> None:
    """These tests look at the figure."""


def scores(right: int, speakers: int) -> Scores:
    """Of ten clips per class and speaker, ``right`` are recognised."""
    labels = label_set_of("own", {name: name for name in CLASSES})
    true = np.tile(np.repeat([0, 1], 10), speakers)
    hit = np.tile(np.arange(20) % 10 < right, speakers)
    predicted = np.where(hit, true, 1 - true)
    by = np.repeat([f"b/{n}" for n in range(speakers)], 20)
    groups = {"corpus": ["b"] * len(true), "gender": ["female"] * len(true), "speaker": by}
    return evaluate(true, np.eye(2)[predicted] * 0.8 + 0.1, labels, Target.EMOTION, groups).emotion


def cell(
    kind: CellKind, train: tuple[str, ...], test: str, right: int | None, *, step: Step | None = None,
    effect: StepEffect | None = None, speakers: int = 3,
) -> Cell:  # fmt: skip
    refused = "they share 1 class: sad" if right is None else None
    plan = MatrixCell(
        kind=kind,
        train=train,
        test=test,
        step=step,
        labels={} if right is None else {name: name for name in CLASSES},
        folds=0 if right is None else 2 if kind == "within" else 1,
        refused=refused,
    )
    if right is None:
        return Cell(plan, None)
    found = claim(protocol="cross-corpus", crosses_corpora=kind != "within")
    return Cell(plan, CellResult(scores(right, speakers), found, ("cell-01",), "Shared.", effect))


@pytest.fixture
def matrix() -> Matrix:
    effect = StepEffect(0.2, Interval(-0.05, 0.31))
    return Matrix(
        title="cross-corpus matrix, speaker-independent",
        subject="model functionals on a and b",
        corpora=("a", "b"),
        steps=("normalise",),
        cells=(
            cell("within", ("a",), "a", 9),
            cell("pair", ("a",), "b", 6, speakers=2),
            cell("pair", ("b",), "a", None),
            cell("within", ("b",), "b", 10),
            cell("pair", ("a",), "b", 8, step="normalise", effect=effect, speakers=2),
        ),
        seed=0,
        store_digest="sha256:x",
        created="2026-01-31T14:05:01+00:00",
    )


def test_the_grid_has_a_row_per_training_corpus(matrix: Matrix) -> None:
    assert grid_rows(matrix) == [("a", "90.0 %", "60.0 %"), ("b", "–", "100.0 %")]


def test_every_cell_has_its_classes_chance_and_interval(matrix: Matrix) -> None:
    rows = cell_rows(matrix)
    assert rows[0] == (
        "a", "a", "within, 2 folds", "2", "50.0 %", "90.0 %", "90.0–90.0", "90.0 %", "60", "3"
    )  # fmt: skip
    assert rows[1][4:7] == ("50.0 %", "60.0 %", "–")
    assert rows[2] == ("b", "a", "cross-corpus", "0", *["–"] * 6)


def test_the_effect_of_a_step_is_in_points(matrix: Matrix) -> None:
    assert effect_rows(matrix) == [("a", "b", "normalise", "60.0 %", "80.0 %", "+20.0", "−5.0 to +31.0")]


def test_the_text_says_what_a_reader_must_know(matrix: Matrix) -> None:
    text = " ".join(matrix_text(matrix).split())
    assert (
        "within a corpus 95.0 % (2 cells, chance 50.0 %), from one corpus to another 60.0 % (1 cell" in text
    )
    assert "b → a was not trained: they share 1 class: sad." in text
    assert "b (2 speakers): no interval, which needs at least 3 test speakers." in text
    assert "Normalise is input.normalise=corpus. Mean change of UA: +20.0 points from one corpus" in text


def test_uas_of_different_numbers_of_classes_compare_above_chance() -> None:
    result = cell("pair", ("a",), "b", 6).result
    assert result is not None
    assert (result.chance, result.above_chance) == (0.5, pytest.approx(0.2))


def test_the_table_has_a_row_per_cell_with_shares(matrix: Matrix) -> None:
    rows = [*csv.DictReader(io.StringIO(matrix.to_csv()))]
    assert [row["ua"] for row in rows] == ["0.9", "0.6", "", "1.0", "0.8"]
    assert rows[2]["refused"] == "they share 1 class: sad"
    assert (rows[4]["step"], rows[4]["ua_change"], rows[4]["ua_change_low"]) == ("normalise", "0.2", "-0.05")
    assert matrix.to_json()["cells"][1]["test_result"]["ua"] == pytest.approx(0.6)


def test_the_figure_has_a_map_of_ua_and_one_of_each_step(matrix: Matrix) -> None:
    figure = matrix_figure(matrix)
    plain, step = ([text.get_text() for text in axes.texts] for axes in figure.axes if axes.texts)
    assert plain[0] == "90.0 %\n90.0–90.0\nchance 50 %"
    assert plain[2] == "–"
    assert step == ["–", "+20.0", "–", "–"]
