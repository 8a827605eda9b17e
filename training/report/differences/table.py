"""Differences between results as a CSV table, for figures of one's own."""

from __future__ import annotations

import csv
import io

from training.report.differences.record import ResultComparisons

CSV_HEADER = ("result", "baseline", "part", "name", "figure", "value", "baseline_value", "difference",
              "low", "high", "p", "adjusted_p", "clips", "speakers")  # fmt: skip


def to_csv(found: ResultComparisons) -> str:
    """Content of ``differences.csv``: a row per result and figure; rates are shares 0…1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for each in found.comparisons:
        figures = each.figures
        by_part = "dimension" if figures.headline.figure == "CCC" else "emotion"
        for part, group in (
            ("all", figures.overall),
            (by_part, figures.by_part),
            ("corpus", figures.by_corpus),
            ("gender", figures.by_gender),
        ):
            for figure in group:
                difference = figure.difference
                bounds = difference.interval
                limits = ("", "") if bounds is None else (bounds.low, bounds.high)
                is_headline = figure is figures.headline
                writer.writerow(
                    (
                        each.result.name,
                        found.baseline.name,
                        part,
                        figure.name,
                        figure.figure,
                        difference.first,
                        difference.second,
                        difference.value,
                        *limits,
                        "" if difference.p is None else difference.p,
                        each.adjusted_p if is_headline and each.adjusted_p is not None else "",
                        figure.support,
                        figure.speakers,
                    )
                )
    return text.getvalue()
