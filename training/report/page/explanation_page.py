"""The page of what a model listens to, ``report.html`` in the folder of ``ser-evaluate --explain --out``."""

from __future__ import annotations

from featurestore.page.render import render
from training.report.explained import Explained
from training.report.page.explanation_values import explanation_part
from training.report.wording import capitalise, warning


def explanation_page(found: Explained) -> str:
    """HTML of the page; the same bytes for equal results."""
    return render(
        "training.report.page",
        "explanation.html",
        subject=found.subject,
        capitalised=capitalise(found.subject),
        title=found.claim.title,
        headline=found.headline,
        warning=warning(found.claim),
        explained=explanation_part(found.explanation),
        notices=found.notices,
        provenance=[
            ("models", ", ".join(found.members)),
            ("store", found.store_digest),
            ("folds", ", ".join(found.folds) or "none: a single test"),
        ],
    )
