"""The page of a search: validation against test, importance, and every trial."""

from __future__ import annotations

from dataclasses import dataclass

from featurestore.page.picture import Picture, svg_picture
from featurestore.page.render import render
from training.report.search import text
from training.report.search.figure import objective_figure
from training.report.search.result import SearchedFold, SearchResult
from training.report.wording import percent


@dataclass(frozen=True)
class _Fold:
    """What the page shows of one fold."""

    heading: str
    best: str
    run: str
    picture: Picture
    rows: list[tuple[str, ...]]


def search_page(result: SearchResult) -> str:
    """HTML of ``search.html``; the same bytes for equal results."""
    return render(
        "training.report.page",
        "search.html",
        subject=result.subject,
        title=result.claim.title,
        headline=text.headline(result),
        counted=text.counted(result),
        remarks=text.remarks(result),
        fold_header=text.FOLD_HEADER,
        fold_rows=text.fold_rows(result),
        explanation=text.EXPLANATION,
        importance_rows=text.importance_rows(result),
        importance=text.IMPORTANCE,
        trial_header=text.TRIAL_HEADER,
        folds=[_fold(fold) for fold in result.folds],
    )


def _fold(fold: SearchedFold) -> _Fold:
    alt = (
        f"Validation UA of {len(fold.trials)} trials; the best is {percent(fold.validation_ua)}, its test UA "
        f"{percent(fold.test_ua)}"
    )
    return _Fold(
        heading=f"Fold {fold.name}",
        best=", ".join(fold.best.changes),
        run=fold.run,
        picture=svg_picture(objective_figure(fold), alt),
        rows=text.trial_rows(fold),
    )
