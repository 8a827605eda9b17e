"""What the pages of a regression show of its test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from featurestore.page.picture import Picture, png_picture, svg_picture
from training.metrics.bootstrap import FEWEST_SPEAKERS
from training.metrics.dimensions import DimensionEvaluation, DimensionGroupScore
from training.metrics.value_predictions import ValuePredictions
from training.report.dimensions.figures import scatter_figure, speakers_figure
from training.report.dimensions.text import SCORE_HEADER, score_rows
from training.report.dimensions.wording import (
    DEFINITIONS,
    ccc,
    ccc_interval,
    rmse,
    speaker_spread,
)
from training.report.page.results import Facts
from training.report.wording import interval_note

_GROUPS_NOTE = (
    "Intervals use the same bootstrap, over the speakers of the corpus or gender only. With fewer than "
    f"{FEWEST_SPEAKERS} of them there is no interval, shown as a dash. The CCC of a group is 0 in a "
    "dimension in which all its clips have the same label."
)

_MOST_AS_SVG = 500
"""Most clips whose marks are drawn as lines of an SVG; with more, the picture is smaller as pixels."""


def dimension_values(
    found: DimensionEvaluation, predictions: ValuePredictions | None, genders: Mapping[str, str]
) -> dict[str, Any]:
    """Values for the templates of a run and of a series of a regression."""
    spread = speaker_spread(found)
    header = _group_header(found)
    speakers = [
        (row[0], genders.get(row[0]) or "unknown", *row[1:-1])
        for row in _group_rows(sorted(found.by_speaker, key=lambda each: (each.mean_ccc, each.name)))
    ]
    return {
        "score_header": ("dimension", *SCORE_HEADER),
        "score_rows": score_rows(found),
        "interval_note": interval_note(found),
        "definitions": DEFINITIONS,
        "scatter": None if predictions is None else _scatter(predictions, found),
        "corpora": (("corpus", *header), _group_rows(found.by_corpus)),
        "genders_table": (("gender", *header), _group_rows(found.by_gender)),
        "groups_note": _GROUPS_NOTE,
        "by_speaker": None if spread is None else svg_picture(speakers_figure(found, genders), spread),
        "speaker_spread": spread,
        "speaker_header": ("speaker", "gender", *header[:-1]),
        "speaker_rows": speakers,
    }


def agreement_facts(found: DimensionEvaluation) -> Facts:
    """CCC and RMSE, each named with its interval; size of the test."""
    bounds = found.intervals.mean if found.intervals else None
    named = "CCC" if bounds is None else f"CCC ({ccc_interval(bounds.ccc)})"
    return (
        (named, ccc(found.ccc)),
        ("RMSE", rmse(found.rmse)),
        ("test clips", f"{found.support:,}"),
        ("test speakers", f"{found.speakers:,}"),
    )


def _scatter(predictions: ValuePredictions, found: DimensionEvaluation) -> Picture:
    draw = svg_picture if len(predictions) <= _MOST_AS_SVG else png_picture
    shown = "; ".join(f"{score.name}, CCC {ccc(score.ccc)}" for score in found.per_dimension)
    return draw(scatter_figure(predictions, found), f"Predictions against labels of each test clip: {shown}")


def _group_header(found: DimensionEvaluation) -> tuple[str, ...]:
    each = (cell for name in found.names for cell in (f"CCC {name}", "95 %", f"RMSE {name}"))
    return (*each, "clips", "speakers")


def _group_rows(groups: tuple[DimensionGroupScore, ...] | list[DimensionGroupScore]) -> list[tuple[str, ...]]:
    rows = []
    for group in groups:
        cells: list[str] = []
        for i, (agreement, error) in enumerate(zip(group.ccc, group.rmse, strict=True)):
            bound = group.intervals.each[i].ccc if group.intervals else None
            cells += [ccc(agreement), ccc_interval(bound), rmse(error)]
        rows.append((group.name or "unknown", *cells, f"{group.support:,}", f"{group.speakers:,}"))
    return rows
