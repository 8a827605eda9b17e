"""The page of a matrix, ``report.html`` in its folder, with links to the pages of its runs."""

from __future__ import annotations

from typing import Any

from featurestore.page.picture import svg_picture
from featurestore.page.render import render
from schemas.recipe_toml import recipe_toml
from training.report.matrix.figure import matrix_figure
from training.report.matrix.result import Matrix
from training.report.matrix.text import (
    CELL_HEADER,
    EFFECT_HEADER,
    EXPLANATION,
    cell_rows,
    class_notes,
    effect_rows,
    grid_rows,
    headline,
    interval_note,
    remarks,
    step_notes,
)
from training.report.wording import capitalise
from training.runs.matrix import MatrixRecord
from training.runs.run import PAGE


def matrix_page(matrix: Matrix, record: MatrixRecord) -> str:
    """HTML of the page; the same bytes for equal matrices, except for their time."""
    cells = "; ".join(
        f"trained on {row}: {', '.join(f'{name} {ua}' for name, ua in zip(matrix.corpora, uas, strict=True))}"
        for row, *uas in grid_rows(matrix)
    )
    return render(
        "training.report.page",
        "matrix.html",
        subject=capitalise(matrix.subject),
        title=matrix.title,
        headline=headline(matrix),
        picture=svg_picture(matrix_figure(matrix), f"UA by training corpus and tested corpus. {cells}"),
        explanation=EXPLANATION,
        cell_header=("trained on", *CELL_HEADER),
        cell_rows=cell_rows(matrix),
        interval_note=interval_note(matrix),
        effect_header=("trained on", *EFFECT_HEADER),
        effect_rows=effect_rows(matrix),
        step_notes=step_notes(matrix) if matrix.steps else [],
        class_notes=class_notes(matrix),
        remarks=remarks(matrix),
        runs=_links(matrix),
        recipe_toml=recipe_toml(record.recipe),
        provenance=[
            ("started", matrix.created),
            ("store", matrix.store_digest),
            ("path of the store", record.store or "not recorded: it was an absolute path or a URL"),
            ("seed", str(matrix.seed)),
        ],
    )


def _links(matrix: Matrix) -> list[dict[str, Any]]:
    """Name and pages of the runs of each cell."""
    return [
        {
            "name": f"{cell.row} → {cell.plan.test}" + ("" if cell.plan.step is None else f", {cell.step}"),
            "links": [(run, f"{run}/{PAGE}") for run in cell.result.runs],
        }
        for cell in matrix.cells
        if cell.result is not None
    ]
