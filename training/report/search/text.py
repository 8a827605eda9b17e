"""The result of a search as text and cells."""

from __future__ import annotations

from schemas.messages.counts import format_count
from training.report.search.result import SearchedFold, SearchResult, TrialRow
from training.report.tables import text_table
from training.report.wording import capitalise, percent, warning, wrap

FOLD_HEADER = ("fold", "configurations", "pruned", "failed", "validation UA", "test UA", "test − validation")

TRIAL_HEADER = ("trial", "state", "validation UA", "seconds", "configuration")

EXPLANATION = (
    "Validation UA is the objective: the mean over the inner folds of training and validation speakers. Test "
    "UA is of the best configuration, trained once on training and validation speakers and tested once."
)
"""What the two columns mean."""

IMPORTANCE = (
    "Importance is each field's share of the variance of the validation UA that the fields explain one by "
    "one (fANOVA, Hutter et al. 2014), over the complete trials. Fields that only some configurations have "
    "are left out."
)
"""What importance means."""


def search_text(result: SearchResult) -> str:
    """Text for a terminal and ``search.txt``: headline, folds, best configurations, importance."""
    parts = [
        "\n".join(map(wrap, [headline(result), counted(result), *remarks(result)])),
        text_table(FOLD_HEADER, fold_rows(result)),
        wrap(EXPLANATION),
        best_text(result),
        text_table(("field", "importance"), [row[:2] for row in importance_rows(result)]),
        wrap(IMPORTANCE),
    ]
    return "\n\n".join(parts)


def trials_text(result: SearchResult) -> str:
    """Every trial of every fold."""
    return "\n\n".join(
        f"trials of fold {fold.name}\n{text_table(TRIAL_HEADER, trial_rows(fold))}" for fold in result.folds
    )


def headline(result: SearchResult) -> str:
    """``…: test UA 52.1 %, validation UA 55.0 %``."""
    over = f", means of {len(result.folds)} folds" if len(result.folds) > 1 else ""
    return (
        f"{result.claim.title}: test UA {percent(result.test_ua)}, validation UA "
        f"{percent(result.validation_ua)}{over}"
    )


def counted(result: SearchResult) -> str:
    """How many configurations were tried."""
    per_fold = f", over {len(result.folds)} folds with a search each" if len(result.folds) > 1 else ""
    return (
        f"{capitalise(result.subject)}: {format_count(result.configurations, 'configuration')} tried in "
        f"{format_count(result.trials, 'trial')}{per_fold}; space {result.space}; "
        f"{format_count(result.inner_folds, 'inner fold')}."
    )


def remarks(result: SearchResult) -> list[str]:
    """What must be read with the result."""
    found = warning(result.claim)
    return [] if found is None else [f"{capitalise(found)}."]


def fold_rows(result: SearchResult) -> list[tuple[str, ...]]:
    """A row per fold of the protocol, and their mean."""
    rows: list[tuple[str, ...]] = [
        (
            fold.name,
            str(fold.configurations),
            str(fold.count("pruned")),
            str(fold.count("failed")),
            percent(fold.validation_ua),
            percent(fold.test_ua),
            _points(fold.test_ua - fold.validation_ua),
        )
        for fold in result.folds
    ]
    if len(rows) > 1:
        gap = result.test_ua - result.validation_ua
        means = (percent(result.validation_ua), percent(result.test_ua), _points(gap))
        rows.append(("mean", "", "", "", *means))
    return rows


def best_text(result: SearchResult) -> str:
    """The best configuration of each fold."""
    lines = []
    for fold in result.folds:
        lines.append(f"best of fold {fold.name}, trial {fold.best.number}:")
        lines += [f"  {change}" for change in fold.best.changes]
    return "\n".join(lines)


def importance_rows(result: SearchResult) -> list[tuple[str, ...]]:
    """A row per field, the most important first."""
    shares = result.importance()
    names = sorted(result.fields, key=lambda name: -shares.get(name, -1.0))
    return [(name, percent(shares[name]) if name in shares else "–", result.fields[name]) for name in names]


def trial_rows(fold: SearchedFold) -> list[tuple[str, ...]]:
    """A row per trial, in the order in which they were started."""
    return [
        (
            str(trial.number),
            _state(trial),
            "–" if trial.ua is None else percent(trial.ua),
            f"{trial.seconds:.1f}",
            trial.problem or ", ".join(trial.changes),
        )
        for trial in fold.trials
    ]


def _state(trial: TrialRow) -> str:
    return trial.state if trial.repeats is None else f"{trial.state}, as trial {trial.repeats}"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"
