"""The page of a series of folds, with links to the page of each fold."""

from __future__ import annotations

from typing import Any

from featurestore.page.render import render
from training.audits.stored import StoredAudit, StoredCheck, read_audit
from training.report.page import pictures, results
from training.report.page.commands import commands_of
from training.report.page.shared import shared_values
from training.report.sentences import sentence_note
from training.report.summary import Summary
from training.report.summary_text import FOLD_HEADER, fold_rows, plus_minus
from training.report.text import size_of_test
from training.report.wording import ua_with_interval
from training.runs.run import PAGE, RunFolder
from training.runs.series import SeriesFolder
from training.splits.side import SIDES


def series_page(summary: Summary, folder: SeriesFolder) -> str:
    """HTML of a finished series' ``report.html``; the same bytes for equal series, except for their time.

    Raises :class:`RunError` if a fold's folder lacks files that its training wrote.
    """
    record = folder.record()
    numbers = range(1, len(record.folds) + 1)
    first = RunFolder(folder.fold(1)).record()
    audits = [read_audit(RunFolder(folder.fold(number))) for number in numbers]
    emotion = summary.pooled.emotion
    heard = {name.partition("/")[0] for name in first.heard}
    return render(
        "training.report.page",
        "series.html",
        headline=f"Pooled {ua_with_interval(emotion)}",
        tested=size_of_test(emotion, summary.claim),
        facts_of_run=(
            ("UA, mean ± sd of folds", plus_minus(summary.emotion.ua)),
            *results.rate_facts(emotion),
        ),
        folds=pictures.folds(summary),
        fold_header=("fold", *FOLD_HEADER),
        fold_rows=[_link_row(row, folder, number) for number, row in enumerate(fold_rows(summary), 1)],
        audit_header=("audit of fold", "clips", "speakers", "clean", *(c.name for c in audits[0].checks)),
        audit_rows=[_audit_row(name, found) for name, found in zip(record.folds, audits, strict=True)],
        sentences=sentence_note([fold.sentences for fold in summary.folds], summary.claim),
        questions=[(check.name, check.question) for check in audits[0].checks],
        **shared_values(
            subject=summary.subject,
            claim=summary.claim,
            created=record.created,
            record=first,
            recipe=record.recipe,
            evaluation=summary.pooled,
            temperatures=[fold.temperature for fold in summary.folds],
            genders=results.genders_of(summary.predictions.speaker, summary.predictions.gender),
            commands=commands_of(
                first, sorted({*summary.predictions.dataset, *heard}), fold=None, drawn=True
            ),
            curves=any(fold.best_epoch is not None for fold in summary.folds),
            series=True,
        ),
    )


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
