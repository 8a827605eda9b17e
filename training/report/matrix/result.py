"""The cells of a finished matrix with their metrics. No torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from schemas.messages.counts import format_count
from training.metrics.bootstrap import Interval
from training.metrics.scores import Scores
from training.runs.matrix import CellKind, MatrixCell
from training.runs.request import Step
from training.splits.claim import Claim

CSV_HEADER = ("step", "kind", "trained_on", "tested_on", "protocol", "classes", "chance_ua", "ua", "ua_low",
              "ua_high", "wa", "macro_f1", "clips", "speakers", "ua_change", "ua_change_low",
              "ua_change_high", "refused")  # fmt: skip

PLAIN = "none"
"""Name of the cells that are trained as the recipe says, without a step."""


@dataclass(frozen=True)
class StepEffect:
    """UA with a step minus UA of the same cell without, −1…1."""

    ua: float
    interval: Interval | None
    """Speaker bootstrap of the difference, each resample the same for both; None for too few speakers."""


@dataclass(frozen=True)
class CellResult:
    """Test of one cell: its predictions over all folds, each clip once."""

    scores: Scores
    """Over emotions."""
    claim: Claim
    runs: tuple[str, ...]
    """Names of the run folders, one per fold."""
    sentences: str
    """What training and test share of the corpus's sentences."""
    effect: StepEffect | None
    """Of a cell with a step."""

    @property
    def chance(self) -> float:
        """UA of guessing, 0…1: one class for all clips, or classes at random."""
        return 1 / self.scores.tested

    @property
    def above_chance(self) -> float:
        """0 at :attr:`chance`, 1 for no errors; comparable between cells with different classes."""
        return (self.scores.ua - self.chance) / (1 - self.chance)


@dataclass(frozen=True)
class Cell:
    """A cell as planned, and its result; None if it was refused."""

    plan: MatrixCell
    result: CellResult | None

    @property
    def row(self) -> str:
        """Name of its row: the training corpus, or ``all others``."""
        return "all others" if self.plan.kind == "rest" else self.plan.train[0]

    @property
    def step(self) -> str:
        """The step, or :data:`PLAIN`."""
        return self.plan.step or PLAIN

    @property
    def protocol(self) -> str:
        """How it was tested: ``within, 5 folds`` or ``cross-corpus``."""
        if self.plan.kind == "within":
            return f"within, {format_count(self.plan.folds, 'fold')}" if self.plan.folds else "within"
        return "cross-corpus"


@dataclass(frozen=True, eq=False)
class Matrix:
    """All cells of a matrix, the plain ones first."""

    title: str
    """``cross-corpus matrix, speaker-independent``."""
    subject: str
    """``model functionals, trained and tested on ravdess and tess``."""
    corpora: tuple[str, ...]
    steps: tuple[Step, ...]
    cells: tuple[Cell, ...]
    seed: int
    store_digest: str
    created: str

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows: what is trained on."""
        return tuple(dict.fromkeys(cell.row for cell in self.cells))

    def cell(self, step: str, row: str, test: str) -> Cell | None:
        """The cell of a step, row and tested corpus; None if the step does not change it."""
        found = (c for c in self.cells if (c.step, c.row, c.plan.test) == (step, row, test))
        return next(found, None)

    def tested(self, kind: CellKind, step: str = PLAIN) -> list[CellResult]:
        """Results of the cells of one kind."""
        return [
            cell.result
            for cell in self.cells
            if cell.result is not None and cell.plan.kind == kind and cell.step == step
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for ``summary.json``."""
        return {
            "title": self.title,
            "subject": self.subject,
            "corpora": list(self.corpora),
            "steps": list(self.steps),
            "seed": self.seed,
            "store_digest": self.store_digest,
            "cells": [_cell_json(cell) for cell in self.cells],
        }

    def to_csv(self) -> str:
        """Content of ``matrix.csv``: a row per cell, shares 0…1."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(CSV_HEADER)
        writer.writerows(_csv_row(cell) for cell in self.cells)
        return text.getvalue()


def _cell_json(cell: Cell) -> dict[str, Any]:
    plan, result = cell.plan, cell.result
    values: dict[str, Any] = {
        "kind": plan.kind,
        "train": list(plan.train),
        "test": plan.test,
        "step": plan.step,
        "protocol": cell.protocol,
        "classes": list(plan.classes),
        "refused": plan.refused,
        "remarks": list(plan.remarks),
    }
    if result is None:
        return values
    effect = None if result.effect is None else asdict(result.effect)
    return {
        **values,
        "runs": list(result.runs),
        "claim": result.claim.to_json(),
        "chance_ua": result.chance,
        "ua_above_chance": result.above_chance,
        "ua_change": effect,
        "test_result": result.scores.to_json(),
    }


def _csv_row(cell: Cell) -> Sequence[object]:
    plan, result = cell.plan, cell.result
    head = (cell.step, plan.kind, " ".join(plan.train), plan.test, cell.protocol, " ".join(plan.classes))
    if result is None:
        return (*head, *[""] * 11, plan.refused or "")
    scores, effect = result.scores, result.effect
    bounds = scores.intervals.ua if scores.intervals else None
    change = None if effect is None else effect.interval
    return (
        *head,
        result.chance,
        scores.ua,
        *_bounds(bounds),
        scores.wa,
        scores.macro_f1,
        scores.support,
        scores.speakers,
        "" if effect is None else effect.ua,
        *_bounds(change),
        "",
    )


def _bounds(interval: Interval | None) -> tuple[float | str, float | str]:
    return ("", "") if interval is None else (interval.low, interval.high)
