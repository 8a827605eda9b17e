"""A run's result as text, for people: the headline first, always with its protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.labels import Target
from training.metrics import Evaluation, GroupScore, Scores

AVERAGES = (
    "UA (unweighted average recall) and macro-F1 are means over the classes that have test clips; "
    "WA is the accuracy."
)
"""The conventions behind the figures."""

CLASS_HEADER = ("precision", "recall", "F1", "clips")
GROUP_HEADER = ("UA", "WA", "clips", "speakers")


def report(evaluation: Evaluation, target: Target, title: str, best_epoch: int) -> str:
    """Text table of a test result.

    ``title`` is :attr:`training.split.Split.title`, such as ``speaker-independent (protocol: speaker)``.
    """
    own, emotion = evaluation.own, evaluation.emotion
    headline = f"{title}: UA {_percent(own.ua)}, WA {_percent(own.wa)}, macro-F1 {_percent(own.macro_f1)}"
    parts = [f"{headline}\n{tested_on(own)}, weights of epoch {best_epoch}"]
    parts.append(_table(("", "UA", "WA", "macro-F1"), summary_rows(evaluation, target)))
    parts.append(_table(("corpus (emotion)", *GROUP_HEADER), group_rows(emotion.by_corpus)))
    parts.append(AVERAGES)
    parts.append(_table(("class", *CLASS_HEADER), class_rows(own)))
    if target is Target.GENDER_EMOTION:
        parts.append(_table(("emotion", *CLASS_HEADER), class_rows(emotion)))
    parts.append(_table(("gender (emotion)", *GROUP_HEADER), group_rows(emotion.by_gender)))
    return "\n\n".join(parts) + "\n"


def summary_rows(evaluation: Evaluation, target: Target) -> list[tuple[str, ...]]:
    """Name, UA, WA and macro-F1 of the model's own classes and, where they differ, of emotions alone."""
    rows = [("emotion", evaluation.emotion)]
    if target is Target.GENDER_EMOTION:
        rows.insert(0, ("gender × emotion", evaluation.own))
    return [
        (f"{name} ({_classes(s)})", _percent(s.ua), _percent(s.wa), _percent(s.macro_f1)) for name, s in rows
    ]


def tested_on(scores: Scores) -> str:
    """Size of the test beside its result: ``940 test clips of 5 speakers``, and classes where some lack."""
    lacking = "" if scores.tested == len(scores.per_class) else f", UA over {_classes(scores)}"
    speakers = "speaker" if scores.speakers == 1 else "speakers"
    return f"{scores.support} test clips of {scores.speakers} {speakers}{lacking}"


def class_rows(scores: Scores) -> list[tuple[str, ...]]:
    """Cells under a name and :data:`CLASS_HEADER`; a dash for what a class without clips does not have."""
    return [
        (s.name, *(_percent(x) if s.support else "–" for x in (s.precision, s.recall, s.f1)), str(s.support))
        for s in scores.per_class
    ]


def group_rows(groups: Iterable[GroupScore]) -> list[tuple[str, ...]]:
    """Cells under a name and :data:`GROUP_HEADER`."""
    return [(g.name, _percent(g.ua), _percent(g.wa), str(g.support), str(g.speakers)) for g in groups]


def _classes(scores: Scores) -> str:
    count = len(scores.per_class)
    return f"{count} classes" if scores.tested == count else f"{scores.tested} of {count} classes"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two spaces apart; the first aligned left, the others right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    )
