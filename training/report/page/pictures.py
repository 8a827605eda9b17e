"""The figures of a page, each with a text alternative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from featurestore.page.picture import Picture, svg_picture
from schemas.messages.counts import choose_form, format_count
from training.metrics.scores import Scores
from training.report.comparisons import folds_figure, speakers_figure
from training.report.curves import curve_figures
from training.report.figures import confusion_figure, reliability_figure
from training.report.summary import Summary
from training.report.wording import percent, speaker_spread
from training.runs.observer import AnyEpochResult, EpochResult


def curves(history: Sequence[AnyEpochResult], reason: str) -> tuple[Picture, ...]:
    """Losses, validation metrics, and learning rate against epochs, at least one."""
    last = history[-1]
    epochs = f"over {len(history)} {choose_form(len(history), 'epoch')}; at the end,"
    losses = f"{last.train_loss:.3f} in training and {last.validation_loss:.3f} in validation"
    if isinstance(last, EpochResult):
        reached = f"UA {percent(last.validation_ua)} and WA {percent(last.validation_wa)}"
    else:
        reached = f"CCC {last.validation_ccc:.3f}"
    alternatives = (
        f"Losses {epochs} {losses}",
        f"Validation {epochs} {reached}",
        f"Learning rate {epochs} {last.learning_rate:.2e}",
    )
    return tuple(map(svg_picture, curve_figures(history, reason), alternatives))


def confusion(name: str, scores: Scores) -> Picture:
    """The confusion matrix of one set of classes."""
    return svg_picture(
        confusion_figure(scores),
        f"Confusion matrix for {name}, {format_count(len(scores.per_class), 'class', 'classes')}; "
        "the table below has its numbers",
    )


def reliability(name: str, scores: Scores) -> Picture:
    """The reliability diagram of one set of classes."""
    found = scores.calibration
    measured = f"Reliability diagram for {name}: calibration error {percent(found.ece)}, mean confidence "
    return svg_picture(
        reliability_figure(name, scores),
        f"{measured}{percent(found.confidence)} at an accuracy of {percent(scores.wa)}",
    )


def by_speaker(scores: Scores, genders: Mapping[str, str]) -> Picture | None:
    """UA of each test speaker, sorted; None for a single speaker."""
    spread = speaker_spread(scores)
    return None if spread is None else svg_picture(speakers_figure(scores, genders), spread)


def folds(summary: Summary) -> Picture:
    """UA and WA of every fold and of the pooled clips."""
    over = summary.emotion.ua
    sd = "" if over.sd is None else f", standard deviation {100 * over.sd:.1f} points"
    return svg_picture(
        folds_figure(summary),
        f"UA of {len(summary.folds)} folds: mean {percent(over.mean)}{sd}; pooled "
        f"{percent(summary.pooled.emotion.ua)}",
    )
