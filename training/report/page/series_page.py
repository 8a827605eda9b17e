"""The page of a series of folds, with links to the page of each fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from featurestore.page.picture import svg_picture
from featurestore.page.render import render
from training.audits.stored import StoredAudit, StoredCheck, read_audit
from training.report.dimensions import summary_text as dimension_text
from training.report.dimensions.summary import DimensionSummary
from training.report.dimensions.wording import ccc_with_interval
from training.report.page import pictures, results
from training.report.page.class_values import class_values
from training.report.page.commands import commands_of
from training.report.page.dimension_values import agreement_facts, dimension_values
from training.report.page.explanation_values import explanation_part
from training.report.page.shared import shared_values
from training.report.sentences import sentence_note
from training.report.series_explanation import pool_explanations
from training.report.series_summary import AnySummary
from training.report.summary import Summary
from training.report.summary_text import FOLD_HEADER, fold_rows, plus_minus
from training.report.text import size_of_test
from training.report.wording import tested_clips, ua_with_interval
from training.runs.run import PAGE, RunFolder
from training.runs.series import SeriesFolder
from training.splits.side import SIDES


def series_page(summary: AnySummary, folder: SeriesFolder) -> str:
    """HTML of a finished series' ``report.html``; the same bytes for equal series, except for their time.

    Raises :class:`RunError` if a fold's folder lacks files that its training wrote.
    """
    record = folder.record()
    numbers = range(1, len(record.folds) + 1)
    first = RunFolder(folder.fold(1)).record()
    audits = [read_audit(RunFolder(folder.fold(number))) for number in numbers]
    measured = _of_dimensions(summary) if isinstance(summary, DimensionSummary) else _of_classes(summary)
    heard = {name.partition("/")[0] for name in first.heard}
    return render(
        "training.report.page",
        measured.template,
        fold_header=("fold", *measured.fold_header),
        fold_rows=[_link_row(row, folder, number) for number, row in enumerate(measured.fold_rows, 1)],
        audit_header=("audit of fold", "clips", "speakers", "clean", *(c.name for c in audits[0].checks)),
        audit_rows=[_audit_row(name, found) for name, found in zip(record.folds, audits, strict=True)],
        sentences=sentence_note([fold.sentences for fold in summary.folds], summary.claim),
        explained=None if (found := pool_explanations(folder)) is None else explanation_part(found),
        questions=[(check.name, check.question) for check in audits[0].checks],
        **shared_values(
            subject=summary.subject,
            claim=summary.claim,
            created=record.created,
            record=first,
            recipe=record.recipe,
            commands=commands_of(
                first, sorted({*summary.predictions.dataset, *heard}), fold=None, drawn=True
            ),
            curves=any(fold.best_epoch is not None for fold in summary.folds),
            series=True,
        ),
        **measured.values,
    )


@dataclass(frozen=True)
class _Measured:
    """What a page shows of the metrics of the folds and of the pooled clips."""

    template: str
    fold_header: tuple[str, ...]
    fold_rows: list[tuple[str, ...]]
    values: dict[str, Any]


def _of_classes(summary: Summary) -> _Measured:
    emotion = summary.pooled.emotion
    genders = results.genders_of(summary.predictions.speaker, summary.predictions.gender)
    temperatures = [fold.temperature for fold in summary.folds]
    values = {
        "headline": f"Pooled {ua_with_interval(emotion)}",
        "tested": size_of_test(emotion, summary.claim),
        "facts_of_run": (
            ("UA, mean ± sd of folds", plus_minus(summary.emotion.ua)),
            *results.rate_facts(emotion),
        ),
        "folds": pictures.folds(summary),
        **class_values(summary.pooled, summary.target, temperatures, genders),
    }
    return _Measured("series.html", FOLD_HEADER, fold_rows(summary), values)


def _of_dimensions(summary: DimensionSummary) -> _Measured:
    pooled = summary.pooled
    genders = results.genders_of(summary.predictions.speaker, summary.predictions.gender)
    over = dimension_text.plus_minus(summary.ccc)
    values = {
        "headline": f"Pooled {ccc_with_interval(pooled)}",
        "tested": tested_clips(pooled.support, pooled.speakers, summary.claim),
        "facts_of_run": (("CCC, mean ± sd of folds", over), *agreement_facts(pooled)),
        "folds": svg_picture(dimension_text.folds_of(summary), f"CCC of {len(summary.folds)} folds: {over}"),
        **dimension_values(pooled, summary.predictions, genders),
    }
    rows = dimension_text.fold_rows(summary)
    return _Measured("dimension_series.html", dimension_text.fold_header(summary), rows, values)


def _link_row(row: tuple[str, ...], folder: SeriesFolder, number: int) -> dict[str, Any]:
    """Cells of a row with a link to the fold's page, if it is a fold."""
    folds = len(folder.record().folds)
    return {"cells": row, "link": f"{folder.fold(number).name}/{PAGE}" if number <= folds else None}


def _audit_row(name: str, found: StoredAudit) -> tuple[str, ...]:
    """Clips and speakers of train, validation and test; whether it is clean; findings of each check."""
    sizes = (" / ".join(f"{of[side]:,}" for side in SIDES) for of in (found.clips, found.speakers))
    return (name, *sizes, "yes" if found.clean else "no", *(_finding(check) for check in found.checks))


def _finding(check: StoredCheck) -> str:
    return f"{check.count:,} ({check.verdict})" if check.count else "none"
