"""The page of a robustness table, ``report.html`` in the folder of ``ser-evaluate --views … --out``."""

from __future__ import annotations

from featurestore.page.picture import svg_picture
from featurestore.page.render import render
from schemas.messages.counts import format_count
from training.report.robustness import Robustness
from training.report.robustness_figure import robustness_figure
from training.report.robustness_text import (
    explanation,
    headline,
    points,
    remarks,
    view_header,
    view_rows,
    weight_lines,
    weight_table,
)
from training.report.wording import capitalise, percent


def robustness_page(found: Robustness) -> str:
    """HTML of the page; the same bytes for equal results."""
    changes = ", ".join(f"{view.name} {points(found.change(view))}" for view in found.views[1:])
    return render(
        "training.report.page",
        "robustness.html",
        subject=capitalise(found.subject),
        title=found.claim.title,
        headline=headline(found),
        remarks=[capitalise(remark).removesuffix(".") for remark in remarks(found)],
        picture=svg_picture(
            robustness_figure(found),
            f"UA in {format_count(len(found.views), 'view')}; change in points from the original: {changes}",
        ),
        view_header=("view", *view_header(found)),
        view_rows=view_rows(found),
        explanation=explanation(found),
        class_header=("recall of", *(view.name for view in found.views)),
        class_rows=_class_rows(found),
        weights=weight_table(found) if found.is_series and found.weights else None,
        weight_lines=weight_lines(found),
        notices=found.notices,
        provenance=[
            ("models", ", ".join(found.members)),
            ("store", found.store_digest),
            ("folds", ", ".join(name for name in found.fold_names if name) or "none: a single test"),
        ],
    )


def _class_rows(found: Robustness) -> list[tuple[str, ...]]:
    """Recall of each emotion in each view, over the clips of all folds; a dash without clips."""
    rows = []
    for index, name in enumerate(found.original.folds[0].class_names):
        cells = []
        for view in found.views:
            right = sum(fold.confusion[index][index] for fold in view.folds)
            clips = sum(sum(fold.confusion[index]) for fold in view.folds)
            cells.append(percent(right / clips) if clips else "–")
        rows.append((name.replace("_", " "), *cells))
    return rows
