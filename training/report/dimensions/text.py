"""A test result of a regression as text: the headline first, always with its protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from training.metrics.dimensions import DimensionEvaluation, DimensionGroupScore
from training.models.layer_weights import LayerShares
from training.report.dimensions.wording import (
    DEFINITIONS,
    ccc,
    ccc_interval,
    ccc_with_interval,
    rmse,
    rmse_interval,
    speaker_spread,
)
from training.report.tables import text_table
from training.report.wording import capitalise, interval_note, layer_sentence, tested_clips, warning, wrap
from training.splits.claim import Claim

SCORE_HEADER = ("CCC", "95 %", "RMSE", "95 %", "mean of labels", "sd")


def report_values(
    found: DimensionEvaluation,
    claim: Claim,
    best_epoch: int | None,
    *,
    remarks: Sequence[str] = (),
    layers: Sequence[LayerShares] = (),
) -> str:
    """Text of a test result, for a terminal with 100 columns; as :func:`training.report.text.report`."""
    weights = f"; weights of epoch {best_epoch}" if best_epoch is not None else ""
    tested = f"{tested_clips(found.support, found.speakers, claim)}{weights}"
    lines = [
        f"{claim.title}: {ccc_with_interval(found)}",
        f"RMSE {rmse(found.rmse)}; {tested}",
    ]
    if caution := warning(claim):
        lines.append(wrap(caution))
    lines += map(wrap, remarks)
    learnt = ["\n".join(wrap(capitalise(layer_sentence(each))) for each in layers)] if layers else []
    return "\n\n".join(["\n".join(lines), *details(found), *learnt]) + "\n"


def details(found: DimensionEvaluation) -> list[str]:
    """Paragraphs and tables below a headline."""
    spread = speaker_spread(found)
    return [
        text_table(("", *SCORE_HEADER), score_rows(found)),
        "\n".join(map(wrap, (interval_note(found), DEFINITIONS))),
        text_table(
            ("clips of", *group_header(found.names)), group_rows((*found.by_corpus, *found.by_gender))
        ),
        *([wrap(spread)] if spread else []),
    ]


def score_rows(found: DimensionEvaluation) -> list[tuple[str, ...]]:
    """Cells for a name and :data:`SCORE_HEADER`: each dimension, then their mean if there are several."""
    rows: list[tuple[str, ...]] = [
        (
            score.name,
            ccc(score.ccc),
            ccc_interval(score.intervals.ccc if score.intervals else None),
            rmse(score.rmse),
            rmse_interval(score.intervals.rmse if score.intervals else None),
            rmse(score.mean),
            rmse(score.deviation),
        )
        for score in found.per_dimension
    ]
    if len(rows) > 1:
        bounds = found.intervals.mean if found.intervals else None
        over = (ccc(found.ccc), ccc_interval(bounds.ccc if bounds else None))
        errors = (rmse(found.rmse), rmse_interval(bounds.rmse if bounds else None))
        rows.append(("mean", *over, *errors, "", ""))
    return rows


def group_header(names: Sequence[str]) -> tuple[str, ...]:
    """Header for the cells of :func:`group_rows`."""
    return (*(f"CCC {name}" for name in names), *(f"RMSE {name}" for name in names), "clips", "speakers")


def group_rows(groups: Iterable[DimensionGroupScore]) -> list[tuple[str, ...]]:
    """Cells for a name and :func:`group_header`."""
    return [
        (
            group.name or "unknown",
            *map(ccc, group.ccc),
            *map(rmse, group.rmse),
            f"{group.support:,}",
            str(group.speakers),
        )
        for group in groups
    ]
