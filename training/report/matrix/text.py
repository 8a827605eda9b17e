"""A matrix as text and cells of tables."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from schemas.messages.counts import format_count
from training.metrics.bootstrap import FEWEST_SPEAKERS, Interval
from training.report.matrix.result import PLAIN, Cell, Matrix
from training.report.tables import text_table
from training.report.wording import capitalise, interval_cell, percent, speakers, warning, wrap
from training.runs.matrix import CHANGE_OF_STEP, CellKind, MatrixRecord

CELL_HEADER = ("tested on", "test", "classes", "chance", "UA", "95 %", "WA", "clips", "speakers")
"""Titles of the cells of :func:`cell_rows`, after what was trained on."""

EFFECT_HEADER = ("tested on", "step", "UA without", "UA with", "change", "95 %")
"""Titles of the cells of :func:`effect_rows`, after what was trained on."""

EXPLANATION = (
    "Rows are what was trained on, columns what was tested on. Each cell has its own model, of the classes "
    "that its training and test corpora share, so cells with different numbers of classes do not compare: "
    "chance is the UA of guessing. Validation speakers are from the training corpora. On the diagonal, each "
    "speaker of the corpus is tested once, by a model that has heard the others."
)
"""How to read the matrix."""

_KINDS: tuple[tuple[CellKind, str], ...] = (
    ("within", "within a corpus"),
    ("pair", "from one corpus to another"),
    ("rest", "from all others to one"),
)


def matrix_text(matrix: Matrix) -> str:
    """Text for a terminal: means, the matrix, a row per cell, the effect of steps, classes and remarks."""
    parts = [
        "\n".join([matrix.title, wrap(f"{headline(matrix)}.")]),
        f"{capitalise(matrix.subject)}.",
        text_table(grid_header(matrix), grid_rows(matrix)),
        wrap(EXPLANATION),
        text_table(("trained on", *CELL_HEADER), cell_rows(matrix)),
        wrap(interval_note(matrix)),
    ]
    if matrix.steps:
        parts += [
            text_table(("trained on", *EFFECT_HEADER), effect_rows(matrix)),
            *map(wrap, step_notes(matrix)),
        ]
    parts.append("\n".join(map(wrap, class_notes(matrix))))
    if found := remarks(matrix):
        parts.append("\n".join(map(wrap, found)))
    return "\n\n".join(parts) + "\n"


def refusals(record: MatrixRecord) -> list[str]:
    """A sentence per planned cell that is not trained."""
    return [
        f"{_trained_on(cell.train)} → {cell.test} is not trained: {cell.refused}"
        for cell in record.cells
        if cell.refused is not None and cell.step is None
    ]


def headline(matrix: Matrix) -> str:
    """``Mean UA within a corpus 61.3 % (2 cells, chance 14.3 %), from one corpus to another …``."""
    clauses = []
    for kind, words in _KINDS:
        found = matrix.tested(kind)
        if found:
            mean = statistics.fmean(result.scores.ua for result in found)
            chance = statistics.fmean(result.chance for result in found)
            clauses.append(
                f"{words} {percent(mean)} ({format_count(len(found), 'cell')}, chance {percent(chance)})"
            )
    return f"Mean UA {', '.join(clauses)}"


def grid_header(matrix: Matrix) -> tuple[str, ...]:
    """Titles of the matrix: the tested corpora."""
    return ("trained on ↓ / tested on → (UA)", *matrix.corpora)


def grid_rows(matrix: Matrix) -> list[tuple[str, ...]]:
    """UA of each plain cell, a row per training corpus."""
    return [(row, *(_ua(matrix.cell(PLAIN, row, test)) for test in matrix.corpora)) for row in matrix.rows]


def cell_rows(matrix: Matrix) -> list[tuple[str, ...]]:
    """What each plain cell was trained on, and its cells for :data:`CELL_HEADER`; dashes if refused."""
    rows: list[tuple[str, ...]] = []
    for cell in matrix.cells:
        if cell.plan.step is not None:
            continue
        head = (cell.row, cell.plan.test, cell.protocol, str(len(cell.plan.classes)))
        result = cell.result
        if result is None:
            rows.append((*head, *["–"] * 6))
            continue
        scores = result.scores
        bounds = None if scores.intervals is None else scores.intervals.ua
        rates = (percent(result.chance), percent(scores.ua), interval_cell(bounds), percent(scores.wa))
        rows.append((*head, *rates, f"{scores.support:,}", str(scores.speakers)))
    return rows


def effect_rows(matrix: Matrix) -> list[tuple[str, ...]]:
    """What each cell with a step was trained on, and its cells for :data:`EFFECT_HEADER`."""
    rows: list[tuple[str, ...]] = []
    for cell in matrix.cells:
        plain = matrix.cell(PLAIN, cell.row, cell.plan.test)
        if cell.plan.step is None or cell.result is None or plain is None or plain.result is None:
            continue
        effect = cell.result.effect
        change = ("–", "–") if effect is None else (points(effect.ua), _points_interval(effect.interval))
        rates = (percent(plain.result.scores.ua), percent(cell.result.scores.ua))
        rows.append((cell.row, cell.plan.test, cell.step, *rates, *change))
    return rows


def step_notes(matrix: Matrix) -> list[str]:
    """What the steps are, the mean change of each, and what their results mean."""
    notes = []
    for step in matrix.steps:
        effects = [
            (kind, cell.result.effect.ua)
            for kind, _ in _KINDS
            for cell in matrix.cells
            if cell.plan.kind == kind
            and cell.plan.step == step
            and cell.result is not None
            and cell.result.effect is not None
        ]
        means = [
            f"{points(statistics.fmean(found))} points {words}"
            for kind, words in _KINDS
            if (found := [change for each, change in effects if each == kind])
        ]
        notes.append(f"{capitalise(step)} is {CHANGE_OF_STEP[step]}. Mean change of UA: {', '.join(means)}.")
    cautions = {warning(cell.result.claim) for cell in matrix.cells if cell.result is not None}
    notes += [f"{capitalise(caution)}." for caution in sorted(filter(None, cautions))]
    return notes


def interval_note(matrix: Matrix) -> str:
    """How the intervals were computed, and which cells have none."""
    note = (
        "95 % intervals are speaker bootstraps of the test speakers; they do not include variation between "
        "training runs."
    )
    few = sorted(
        {
            (cell.plan.test, cell.result.scores.speakers)
            for cell in matrix.cells
            if cell.result is not None and cell.result.scores.intervals is None
        }
    )
    if few:
        named = " and ".join(f"{name} ({speakers(count)})" for name, count in few)
        note += f" {named}: no interval, which needs at least {FEWEST_SPEAKERS} test speakers."
    return note


def class_notes(matrix: Matrix) -> list[str]:
    """The classes of the cells: a sentence per set of classes, with the cells that have it."""
    by_classes: dict[tuple[str, ...], list[Cell]] = {}
    for cell in matrix.cells:
        if cell.plan.step is None and cell.result is not None:
            by_classes.setdefault(cell.plan.classes, []).append(cell)
    if len(by_classes) == 1:
        (classes,) = by_classes
        return [f"Classes of all cells ({len(classes)}): {', '.join(classes)}."]
    return [
        f"Classes of {', '.join(f'{cell.row} → {cell.plan.test}' for cell in cells)} ({len(classes)}): "
        f"{', '.join(classes)}."
        for classes, cells in by_classes.items()
    ]


def remarks(matrix: Matrix) -> list[str]:
    """Which cells were not trained and why, other remarks, and shared sentences within corpora."""
    found = []
    for cell in matrix.cells:
        if cell.plan.step is None:
            where = f"{cell.row} → {cell.plan.test}"
            if cell.plan.refused is not None:
                found.append(f"{where} was not trained: {cell.plan.refused}.")
            found += [f"{where}: {remark}." for remark in cell.plan.remarks]
            if cell.plan.kind == "within" and cell.result is not None:
                found.append(f"{where}: {cell.result.sentences}")
    if not matrix.steps:
        cautions = {warning(cell.result.claim) for cell in matrix.cells if cell.result is not None}
        found += [f"{capitalise(caution)}." for caution in sorted(filter(None, cautions))]
    return found


def points(change: float) -> str:
    """``+1.4`` or ``−0.8``, in points of UA."""
    return f"{100 * change:+.1f}".replace("-", "−")


def _points_interval(interval: Interval | None) -> str:
    return "–" if interval is None else f"{points(interval.low)} to {points(interval.high)}"


def _ua(cell: Cell | None) -> str:
    return "–" if cell is None or cell.result is None else percent(cell.result.scores.ua)


def _trained_on(corpora: Sequence[str]) -> str:
    return " and ".join(corpora)
