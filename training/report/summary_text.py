"""Summary of folds as text, as Markdown and as files."""

from __future__ import annotations

from schemas.labels import Target
from schemas.messages.printable import escape_controls
from training.report.comparisons import folds_png
from training.report.extras import Extras
from training.report.figures import confusion_png, reliability_png
from training.report.sentences import sentence_note
from training.report.summary import FoldStatistics, MeanAndDeviation, Summary
from training.report.tables import markdown_table, text_table
from training.report.temperature import temperature_sentences
from training.report.text import (
    CLASS_HEADER,
    GROUP_HEADER,
    SUMMARY_HEADER,
    class_rows,
    details,
    group_rows,
    size_of_test,
    summary_rows,
)
from training.report.weights import fold_weights_note, weight_header, weight_rows
from training.report.wording import (
    AVERAGES,
    calibration_sentence,
    capitalise,
    interval_note,
    percent,
    speaker_spread,
    ua_with_interval,
    warning,
    wrap,
)
from training.runs.run import RunFolder

FOLD_HEADER = ("UA", "WA", "macro-F1", "clips", "speakers", "best epoch")


def summary_text(summary: Summary) -> str:
    """Text for a terminal: mean over folds, pooled result with interval, folds, details."""
    over = summary.emotion
    lines = [
        f"{summary.title}: UA {plus_minus(over.ua)} {_over(summary)}",
        _others(over),
        wrap(_pooled_sentence(summary)),
    ]
    if caution := warning(summary.claim):
        lines.append(wrap(caution))
    lines.append(wrap(_sentences(summary)))
    parts = [
        "\n".join(lines),
        f"{capitalise(summary.subject)}.",
        text_table(("fold", *FOLD_HEADER), fold_rows(summary)),
    ]
    if summary.weights:
        parts.append(text_table(*_weight_table(summary)))
        parts.append(wrap(fold_weights_note(summary.weights, summary.members)))
    return "\n\n".join([*parts, *details(summary.pooled, summary.target, _temperatures(summary))]) + "\n"


def summary_markdown(summary: Summary) -> str:
    """Markdown of the folder's ``README.md``."""
    pooled, emotion, over = summary.pooled, summary.pooled.emotion, summary.emotion
    caution = warning(summary.claim)
    calibration = [capitalise(clause) for clause in (calibration_sentence(emotion), *_temperatures(summary))]
    parts = [
        f"# Emotion classifier over folds: {summary.subject}",
        f"## Result: {summary.title}",
        f"**Warning.** {capitalise(caution)}." if caution else "",
        f"UA {plus_minus(over.ua)} {_over(summary)}, {_others(over)}; {_pooled_sentence(summary)}.",
        _sentences(summary),
        markdown_table(("fold (emotion)", *FOLD_HEADER), fold_rows(summary)),
        markdown_table(*_weight_table(summary)) if summary.weights else "",
        fold_weights_note(summary.weights, summary.members) if summary.weights else "",
        "Each fold has its own model. Pooled: the test clips of all folds as one test, each clip once.",
        markdown_table(("pooled", *SUMMARY_HEADER), summary_rows(pooled, summary.target)),
        f"{interval_note(emotion)} {AVERAGES}",
        "![Folds](folds.png)",
        markdown_table(
            ("pooled, emotion in", *GROUP_HEADER), group_rows((*emotion.by_corpus, *emotion.by_gender))
        ),
        ". ".join((speaker_spread(emotion) or "There is only one test speaker", *calibration, "")).strip(),
        markdown_table(("pooled, emotion", *CLASS_HEADER), class_rows(emotion)),
        "![Confusion](confusion-emotion.png)",
        markdown_table(("pooled, gender × emotion", *CLASS_HEADER), class_rows(pooled.own))
        if summary.target is Target.GENDER_EMOTION
        else "",
        "All figures, including each fold and speaker: `summary.json`. Every clip: `predictions.csv`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_summary(summary: Summary, folder: RunFolder) -> tuple[str, ...]:
    """Write predictions, text, Markdown and ``summary.json`` into an existing folder, then figures.

    Returns a sentence for each figure that failed.
    """
    heading, pooled = f"{summary.subject}\n{summary.title}, pooled", summary.pooled
    folder.write_text("predictions.csv", summary.predictions.to_csv())
    folder.write_text("summary.txt", escape_controls(summary_text(summary)))
    folder.write_text("README.md", escape_controls(summary_markdown(summary)))
    folder.write_json("summary.json", summary.to_json())
    extras = Extras(folder)
    extras.write("folds.png", lambda: folds_png(summary))
    extras.write("confusion-emotion.png", lambda: confusion_png(pooled.emotion, heading))
    if summary.target is Target.GENDER_EMOTION:
        extras.write("confusion.png", lambda: confusion_png(pooled.own, heading))
    extras.write("reliability.png", lambda: reliability_png(pooled, summary.target, heading))
    return extras.problems


def fold_rows(summary: Summary) -> list[tuple[str, ...]]:
    """Cells for a name and :data:`FOLD_HEADER`, over emotions: folds, mean ± sd, all clips pooled."""
    rows: list[tuple[str, ...]] = []
    for fold in summary.folds:
        found = fold.evaluation.emotion
        rates = (percent(found.ua), percent(found.wa), percent(found.macro_f1))
        size = (f"{found.support:,}", str(found.speakers))
        rows.append((fold.name, *rates, *size, "–" if fold.best_epoch is None else str(fold.best_epoch)))
    over, pooled = summary.emotion, summary.pooled.emotion
    if len(summary.folds) > 1:
        rows.append(("mean ± sd", *map(plus_minus, (over.ua, over.wa, over.macro_f1)), "", "", ""))
    rates = (percent(pooled.ua), percent(pooled.wa), percent(pooled.macro_f1))
    rows.append(("pooled", *rates, f"{pooled.support:,}", str(pooled.speakers), ""))
    return rows


def _weight_table(summary: Summary) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of the weights in each fold."""
    header = ("weights in fold", *weight_header(summary.members))
    return header, weight_rows([fold.name for fold in summary.folds], summary.weights)


def _temperatures(summary: Summary) -> list[str]:
    return temperature_sentences([fold.temperature for fold in summary.folds])


def _sentences(summary: Summary) -> str:
    return sentence_note([fold.sentences for fold in summary.folds], summary.claim)


def _over(summary: Summary) -> str:
    return "(mean ± sd over folds)" if len(summary.folds) > 1 else "(one fold)"


def _others(over: FoldStatistics) -> str:
    return f"WA {plus_minus(over.wa)}, macro-F1 {plus_minus(over.macro_f1)}"


def _pooled_sentence(summary: Summary) -> str:
    emotion = summary.pooled.emotion
    return (
        f"pooled {ua_with_interval(emotion)}, WA {percent(emotion.wa)}, macro-F1 "
        f"{percent(emotion.macro_f1)}; {size_of_test(emotion, summary.claim)}"
    )


def plus_minus(value: MeanAndDeviation) -> str:
    """``55.5 ± 5.2 %``, or ``55.5 %`` for a single fold."""
    return percent(value.mean) if value.sd is None else f"{100 * value.mean:.1f} ± {100 * value.sd:.1f} %"
