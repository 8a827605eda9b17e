"""A test result as text: the headline first, always with its protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.labels import Target
from training.metrics.scores import Evaluation, GroupScore, Scores
from training.models.layer_weights import LayerShares
from training.report.tables import text_table
from training.report.wording import (
    AVERAGES,
    calibration_sentence,
    capitalise,
    classes,
    interval_cell,
    interval_note,
    layer_sentence,
    percent,
    speaker_spread,
    tested_clips,
    ua_with_interval,
    warning,
    wrap,
)
from training.splits.claim import Claim

RATE_HEADER = ("UA", "WA", "macro-F1")
SUMMARY_HEADER = ("UA", "95 %", "WA", "95 %", "macro-F1", "95 %", "ECE")
CLASS_HEADER = ("precision", "recall", "F1", "clips")
GROUP_HEADER = ("UA", "WA", "macro-F1", "clips", "speakers")


def report(
    evaluation: Evaluation,
    target: Target,
    claim: Claim,
    best_epoch: int | None,
    *,
    remarks: Sequence[str] = (),
    calibration: Sequence[str] = (),
    layers: Sequence[LayerShares] = (),
) -> str:
    """Text of a test result, for a terminal with 100 columns.

    The headline is over emotions, so that models of different targets compare. A warning follows unless
    ``claim`` is speaker-independent and nothing else, then ``remarks``, sentences of their own.
    ``calibration`` : clauses that follow the one about the calibration error.
    ``best_epoch`` is None for a model without epochs. ``layers`` are what it has learnt about the layers of
    encoders.
    """
    emotion = evaluation.emotion
    weights = f"; weights of epoch {best_epoch}" if best_epoch is not None else ""
    tested = f"{size_of_test(emotion, claim)}{weights}"
    lines = [
        f"{claim.title}: {ua_with_interval(emotion)}",
        f"WA {percent(emotion.wa)}, macro-F1 {percent(emotion.macro_f1)}; {tested}",
    ]
    if caution := warning(claim):
        lines.append(wrap(caution))
    lines += map(wrap, remarks)
    learnt = ["\n".join(wrap(capitalise(layer_sentence(each))) for each in layers)] if layers else []
    return "\n\n".join(["\n".join(lines), *details(evaluation, target, calibration), *learnt]) + "\n"


def details(evaluation: Evaluation, target: Target, calibration: Sequence[str] = ()) -> list[str]:
    """Paragraphs and tables below a headline; ``calibration`` as for :func:`report`."""
    own, emotion = evaluation.own, evaluation.emotion
    spread = speaker_spread(emotion)
    parts = [
        text_table(("", *SUMMARY_HEADER), summary_rows(evaluation, target)),
        "\n".join(map(wrap, (interval_note(emotion), AVERAGES))),
        text_table(("emotion in", *GROUP_HEADER), group_rows((*emotion.by_corpus, *emotion.by_gender))),
        "\n".join(map(wrap, filter(None, (spread, calibration_sentence(emotion), *calibration)))),
        text_table(("emotion", *CLASS_HEADER), class_rows(emotion)),
    ]
    if target is Target.GENDER_EMOTION:
        parts.append(text_table(("gender × emotion", *CLASS_HEADER), class_rows(own)))
    parts.append(
        text_table(("true \\ predicted", *_abbreviate(emotion.class_names)), confusion_rows(emotion))
    )
    return parts


def summary_rows(evaluation: Evaluation, target: Target) -> list[tuple[str, ...]]:
    """Cells for a name and :data:`SUMMARY_HEADER`: the model's own classes, then emotions if they differ."""
    rows = []
    for name, found in _sets(evaluation, target):
        bounds = found.intervals
        rates = (
            (found.ua, bounds.ua if bounds else None),
            (found.wa, bounds.wa if bounds else None),
            (found.macro_f1, bounds.macro_f1 if bounds else None),
        )
        cells = (cell for rate, interval in rates for cell in (percent(rate), interval_cell(interval)))
        rows.append((f"{name} ({classes(found)})", *cells, percent(found.calibration.ece)))
    return rows


def rate_rows(evaluation: Evaluation, target: Target) -> list[tuple[str, ...]]:
    """Cells for a name and :data:`RATE_HEADER`, otherwise like :func:`summary_rows`."""
    return [
        (f"{name} ({classes(found)})", percent(found.ua), percent(found.wa), percent(found.macro_f1))
        for name, found in _sets(evaluation, target)
    ]


def size_of_test(scores: Scores, claim: Claim) -> str:
    """:func:`training.report.wording.tested_clips`, with the number of classes if some have no clips."""
    lacking = "" if scores.tested == len(scores.per_class) else f", UA over {classes(scores)}"
    return f"{tested_clips(scores.support, scores.speakers, claim)}{lacking}"


def class_rows(scores: Scores) -> list[tuple[str, ...]]:
    """Cells for a name and :data:`CLASS_HEADER`; dashes for a class without clips."""
    return [
        (s.name, *(percent(x) if s.support else "–" for x in (s.precision, s.recall, s.f1)), f"{s.support:,}")
        for s in scores.per_class
    ]


def group_rows(groups: Iterable[GroupScore]) -> list[tuple[str, ...]]:
    """Cells for a name and :data:`GROUP_HEADER`."""
    return [
        (g.name, percent(g.ua), percent(g.wa), percent(g.macro_f1), f"{g.support:,}", str(g.speakers))
        for g in groups
    ]


def confusion_rows(scores: Scores) -> list[tuple[str, ...]]:
    """Name of each true class and its clips per predicted class; a dot for none."""
    return [
        (name, *(str(count) if count else "·" for count in row))
        for name, row in zip(scores.class_names, scores.confusion, strict=True)
    ]


def _sets(evaluation: Evaluation, target: Target) -> list[tuple[str, Scores]]:
    emotion = [("emotion", evaluation.emotion)]
    return [("gender × emotion", evaluation.own), *emotion] if target is Target.GENDER_EMOTION else emotion


def _abbreviate(names: tuple[str, ...]) -> list[str]:
    """Shorten each name to its first letters, at least four and enough to be unique."""
    longest = max(map(len, names))
    for letters in range(4, longest):
        short = [name[:letters] for name in names]
        if len(set(short)) == len(names):
            return short
    return list(names)
