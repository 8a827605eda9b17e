"""The robustness table as text and cells."""

from __future__ import annotations

from training.report.robustness import Robustness, ViewScores
from training.report.sentences import sentence_note
from training.report.summary import MeanAndDeviation
from training.report.summary_text import plus_minus
from training.report.tables import text_table
from training.report.text import size_of_test
from training.report.weights import fold_weights_note, weight_header, weight_note, weight_rows
from training.report.wording import (
    capitalise,
    interval_cell,
    percent,
    ua_with_interval,
    warning,
    wrap,
)

EXPLANATION = (
    "Each test clip is tested in each view. UA and WA are over emotions; the change is in points of UA, from "
    "the original to the view. In training: whether the model was trained on such copies of other clips."
)
"""What the columns mean."""


def robustness_text(found: Robustness) -> str:
    """Text for a terminal: result on the originals, then a row per view."""
    parts = [
        "\n".join([f"{found.claim.title}: {headline(found)}", *map(wrap, remarks(found))]),
        f"{capitalise(found.subject)}.",
        *(map(wrap, weight_lines(found)) if not found.is_series else ()),
        text_table(("view", *view_header(found)), view_rows(found)),
        wrap(explanation(found)),
    ]
    if found.is_series and found.weights:
        parts.append(text_table(*weight_table(found)))
        parts.extend(map(wrap, weight_lines(found)))
    return "\n\n".join(parts) + "\n"


def headline(found: Robustness) -> str:
    """The result on the originals: ``UA 77.0 ± 4.6 % (mean ± sd over folds)``."""
    if found.is_series:
        return f"UA {plus_minus(found.original.over_folds.ua)} (mean ± sd over folds)"
    return ua_with_interval(found.original.folds[0])


def remarks(found: Robustness) -> list[str]:
    """What must be read with the result: the worst view, a warning, shared sentences."""
    worst = min(found.views[1:], key=lambda view: view.over_folds.ua.mean)
    lowest = f"in the worst view, {worst.name}, UA {plus_minus(worst.over_folds.ua)}"
    tested = "" if found.is_series else f"; {size_of_test(found.original.folds[0], found.claim)}"
    caution = warning(found.claim)
    note = sentence_note(found.sentences, found.claim)
    return [f"{lowest}{tested}", *([caution] if caution else []), note]


def explanation(found: Robustness) -> str:
    """What the columns mean, for one test or for folds."""
    folds = (
        " Figures are mean ± sd over folds, the change that of each fold's own." if found.is_series else ""
    )
    return f"{EXPLANATION}{folds}"


def view_header(found: Robustness) -> tuple[str, ...]:
    """Titles of the cells of :func:`view_rows`, after the view."""
    interval = () if found.is_series else ("95 %",)
    return ("setting", "in training", "UA", *interval, "change", "WA", "clips")


def view_rows(found: Robustness) -> list[tuple[str, ...]]:
    """Name of each view and its cells."""
    return [_row(found, view) for view in found.views]


def weight_lines(found: Robustness) -> list[str]:
    """A sentence about the weights; empty if they are equal."""
    if not found.weights:
        return []
    if found.is_series:
        return [fold_weights_note(found.weights, found.members)]
    return [weight_note(found.weights[0], found.members)]


def weight_table(found: Robustness) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of the weights in each fold of a series."""
    names = [name or "" for name in found.fold_names]
    return ("weights in fold", *weight_header(found.members)), weight_rows(names, found.weights)


def points(change: MeanAndDeviation) -> str:
    """``−1.4 ± 0.8``, in points of a percentage; a minus is a true minus."""
    mean = f"{100 * change.mean:+.1f}".replace("-", "−")
    return mean if change.sd is None else f"{mean} ± {100 * change.sd:.1f}"


def _row(found: Robustness, view: ViewScores) -> tuple[str, ...]:
    over = view.over_folds
    bounds = view.folds[0].intervals
    interval = () if found.is_series else (interval_cell(bounds.ua if bounds else None),)
    heard = {0: "no", found.models: "yes"}.get(view.in_training, f"{view.in_training} of {found.models}")
    change = "" if view is found.original else points(found.change(view))
    wa = plus_minus(over.wa) if found.is_series else percent(over.wa.mean)
    return (view.name, view.setting, heard, plus_minus(over.ua), *interval, change, wa, f"{view.clips:,}")
