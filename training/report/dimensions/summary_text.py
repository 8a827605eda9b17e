"""Summary of a regression's folds as text, as Markdown and as files."""

from __future__ import annotations

from matplotlib.figure import Figure

from schemas.messages.printable import escape_controls
from training.report.dimensions.figures import folds_figure, scatter_png
from training.report.dimensions.summary import DimensionSummary
from training.report.dimensions.text import SCORE_HEADER, details, group_header, group_rows, score_rows
from training.report.dimensions.wording import (
    DEFINITIONS,
    ccc,
    ccc_with_interval,
    rmse,
    speaker_spread,
)
from training.report.drawing import encode_png
from training.report.extras import Extras
from training.report.sentences import sentence_note
from training.report.summary import MeanAndDeviation
from training.report.tables import markdown_table, text_table
from training.report.wording import capitalise, interval_note, tested_clips, warning, wrap
from training.runs.run import RunFolder


def dimension_summary_text(summary: DimensionSummary) -> str:
    """Text for a terminal: mean over folds, pooled result with interval, folds, details."""
    lines = [
        f"{summary.title}: CCC {plus_minus(summary.ccc)} {_over(summary)}",
        f"RMSE {rmse_plus_minus(summary.rmse)}",
        wrap(_pooled_sentence(summary)),
    ]
    if caution := warning(summary.claim):
        lines.append(wrap(caution))
    lines.append(wrap(_sentences(summary)))
    return (
        "\n\n".join(
            [
                "\n".join(lines),
                f"{capitalise(summary.subject)}.",
                text_table(("fold", *fold_header(summary)), fold_rows(summary)),
                *details(summary.pooled),
            ]
        )
        + "\n"
    )


def dimension_summary_markdown(summary: DimensionSummary) -> str:
    """Markdown of the folder's ``README.md``."""
    pooled = summary.pooled
    caution = warning(summary.claim)
    groups = (*pooled.by_corpus, *pooled.by_gender)
    parts = [
        f"# Emotion regression over folds: {summary.subject}",
        f"## Result: {summary.title}",
        f"**Warning.** {capitalise(caution)}." if caution else "",
        f"CCC {plus_minus(summary.ccc)} {_over(summary)}; {_pooled_sentence(summary)}.",
        _sentences(summary),
        markdown_table(("fold", *fold_header(summary)), fold_rows(summary)),
        "Each fold has its own model. Pooled: the test clips of all folds as one test, each clip once.",
        markdown_table(("pooled", *SCORE_HEADER), score_rows(pooled)),
        f"{interval_note(pooled)} {DEFINITIONS}",
        "![Folds](folds.png)",
        markdown_table(("pooled, clips of", *group_header(pooled.names)), group_rows(groups)),
        f"{speaker_spread(pooled) or 'There is only one test speaker'}.",
        "![Predictions against labels](scatter.png)",
        "All figures, including each fold and speaker: `summary.json`. Every clip: `predictions.csv`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_dimension_summary(summary: DimensionSummary, folder: RunFolder) -> tuple[str, ...]:
    """Write predictions, text, Markdown and ``summary.json`` into an existing folder, then figures.

    Returns a sentence for each figure that failed.
    """
    heading = f"{summary.subject}\n{summary.title}, pooled"
    folder.write_text("predictions.csv", summary.predictions.to_csv())
    folder.write_text("summary.txt", escape_controls(dimension_summary_text(summary)))
    folder.write_text("README.md", escape_controls(dimension_summary_markdown(summary)))
    folder.write_json("summary.json", summary.to_json())
    extras = Extras(folder)
    extras.write("folds.png", lambda: encode_png(folds_of(summary, f"{summary.subject}\n{summary.title}")))
    extras.write("scatter.png", lambda: scatter_png(summary.predictions, summary.pooled, heading))
    return extras.problems


def folds_of(summary: DimensionSummary, heading: str = "") -> Figure:
    """The CCC of every fold and of the pooled clips."""
    return folds_figure(
        [*(fold.name for fold in summary.folds), "pooled"],
        [*(fold.evaluation for fold in summary.folds), summary.pooled],
        summary.ccc.mean,
        summary.ccc.sd,
        heading,
    )


def fold_header(summary: DimensionSummary) -> tuple[str, ...]:
    """Header for the cells of :func:`fold_rows`."""
    names = summary.pooled.names
    each = tuple(f"CCC {name}" for name in names) if len(names) > 1 else ()
    return ("CCC", *each, "RMSE", "clips", "speakers", "best epoch")


def fold_rows(summary: DimensionSummary) -> list[tuple[str, ...]]:
    """Cells for a name and :func:`fold_header`: folds, mean ± sd, all clips pooled."""
    several = len(summary.pooled.names) > 1
    rows: list[tuple[str, ...]] = []
    for name, found, epoch in (
        *((f.name, f.evaluation, "–" if f.best_epoch is None else str(f.best_epoch)) for f in summary.folds),
        ("pooled", summary.pooled, ""),
    ):
        each = tuple(ccc(score.ccc) for score in found.per_dimension) if several else ()
        size = (f"{found.support:,}", str(found.speakers), epoch)
        rows.append((name, ccc(found.ccc), *each, rmse(found.rmse), *size))
    if len(summary.folds) > 1:
        over = tuple(map(plus_minus, summary.ccc_of_dimensions.values())) if several else ()
        errors = rmse_plus_minus(summary.rmse)
        rows.insert(-1, ("mean ± sd", plus_minus(summary.ccc), *over, errors, "", "", ""))
    return rows


def plus_minus(value: MeanAndDeviation) -> str:
    """``0.613 ± 0.052``, or ``0.613`` for a single fold."""
    return ccc(value.mean) if value.sd is None else f"{ccc(value.mean)} ± {ccc(value.sd)}"


def rmse_plus_minus(value: MeanAndDeviation) -> str:
    """``0.781 ± 0.060``, or ``0.781`` for a single fold; the deviation has the decimals of the mean."""
    mean = rmse(value.mean)
    decimals = len(mean.partition(".")[2]) if "e" not in mean else 0
    return mean if value.sd is None else f"{mean} ± {value.sd:.{decimals}f}"


def _over(summary: DimensionSummary) -> str:
    return "(mean ± sd over folds)" if len(summary.folds) > 1 else "(one fold)"


def _pooled_sentence(summary: DimensionSummary) -> str:
    pooled = summary.pooled
    size = tested_clips(pooled.support, pooled.speakers, summary.claim)
    return f"pooled {ccc_with_interval(pooled)}, RMSE {rmse(pooled.rmse)}; {size}"


def _sentences(summary: DimensionSummary) -> str:
    return sentence_note([fold.sentences for fold in summary.folds], summary.claim)
