"""Results as table cells and facts, each rate with its interval if it has one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.labels import Target
from training.metrics.bootstrap import FEWEST_SPEAKERS
from training.metrics.scores import Evaluation, GroupScore, Scores
from training.report.text import CLASS_HEADER
from training.report.wording import interval_cell, percent

RATES_HEADER = ("UA", "95 %", "WA", "95 %", "macro-F1", "95 %")

GROUPS_HEADER = (*RATES_HEADER, "clips", "speakers")

CLASSES_HEADER = (CLASS_HEADER[0], "95 %", CLASS_HEADER[1], "95 %", CLASS_HEADER[2], "95 %", "clips")

INTERVALS_OF_PARTS = (
    "Intervals use the same bootstrap, over the speakers of the corpus or gender only. For a class, they use "
    "the resamples with clips of it and are expanded by the number of speakers with such clips. With fewer "
    f"than {FEWEST_SPEAKERS} of them there is no interval, shown as a dash. Intervals describe each group on "
    "its own: they do not test the difference between two groups and are not corrected for multiple "
    "comparisons. An interval of zero width, for example where nothing was recognised, only means that the "
    "speakers of this test do not differ."
)

Facts = tuple[tuple[str, str], ...]


def sets_of(evaluation: Evaluation, target: Target) -> tuple[tuple[str, Scores], ...]:
    """Emotions and, if they differ, the model's own classes, each with a name."""
    emotion = ("emotion", evaluation.emotion)
    return (emotion, ("gender × emotion", evaluation.own)) if target is Target.GENDER_EMOTION else (emotion,)


def rate_facts(scores: Scores) -> Facts:
    """UA, WA and macro-F1, each named with its interval; size of the test; chance level."""
    found = scores.intervals
    bounds = (None, None, None) if found is None else (found.ua, found.wa, found.macro_f1)
    rates = zip(("UA", "WA", "macro-F1"), (scores.ua, scores.wa, scores.macro_f1), bounds, strict=True)
    named = [
        (name if bound is None else f"{name} ({interval_cell(bound)})", percent(rate))
        for name, rate, bound in rates
    ]
    return (
        *named,
        ("test clips", f"{scores.support:,}"),
        ("test speakers", f"{scores.speakers:,}"),
        ("chance level of UA", percent(1 / scores.tested)),
    )


def chance_sentence(scores: Scores) -> str:
    """What a model reaches without listening."""
    most = max(scores.per_class, key=lambda score: score.support)
    ua, wa = percent(1 / scores.tested), percent(most.support / scores.support)
    return (
        f"Chance: on average, a model that does not listen reaches a UA of at most {ua} ({scores.tested} "
        f"classes have test clips), and a WA of at most {wa} by always predicting "
        f"{most.name.replace('_', ' ')}."
    )


def set_rows(sets: Iterable[tuple[str, Scores]]) -> list[tuple[str, ...]]:
    """Cells for a name and :data:`RATES_HEADER`, and the number of classes."""
    return [(name, *_rates(scores), f"{scores.tested} of {len(scores.per_class)}") for name, scores in sets]


def group_rows(groups: Iterable[GroupScore]) -> list[tuple[str, ...]]:
    """Cells for a name and :data:`GROUPS_HEADER`."""
    return [(g.name or "unknown", *_rates(g), f"{g.support:,}", f"{g.speakers:,}") for g in groups]


def class_rows(scores: Scores) -> list[tuple[str, ...]]:
    """Cells for a name and :data:`CLASSES_HEADER`; dashes for a class without clips."""
    rows = []
    for each in scores.per_class:
        found = each.intervals
        bounds = (None, None, None) if found is None else (found.precision, found.recall, found.f1)
        rates = zip((each.precision, each.recall, each.f1), bounds, strict=True)
        cells = [c for rate, b in rates for c in (percent(rate) if each.support else "–", interval_cell(b))]
        rows.append((each.name.replace("_", " "), *cells, f"{each.support:,}"))
    return rows


def speaker_rows(scores: Scores, genders: dict[str, str]) -> list[tuple[str, ...]]:
    """Name, gender, UA, WA, macro-F1 and clips of each test speaker, lowest UA first."""
    ranked = sorted(scores.by_speaker, key=lambda score: (score.ua, score.name))
    return [
        (
            each.name,
            genders.get(each.name) or "unknown",
            percent(each.ua),
            percent(each.wa),
            percent(each.macro_f1),
            f"{each.support:,}",
        )
        for each in ranked
    ]


def count_rows(scores: Scores) -> list[tuple[str, ...]]:
    """The confusion matrix in clips: a true class, then clips per predicted class."""
    return [
        (name.replace("_", " "), *map(str, row))
        for name, row in zip(scores.class_names, scores.confusion, strict=True)
    ]


def class_titles(scores: Scores) -> tuple[str, ...]:
    """Names of the classes, with spaces."""
    return tuple(name.replace("_", " ") for name in scores.class_names)


def genders_of(speakers: Sequence[str], genders: Sequence[str]) -> dict[str, str]:
    """Speaker → gender, from the columns of predictions."""
    return dict(zip(speakers, genders, strict=True))


def _rates(found: Scores | GroupScore) -> tuple[str, ...]:
    bounds = found.intervals
    rates = (
        (found.ua, bounds.ua if bounds else None),
        (found.wa, bounds.wa if bounds else None),
        (found.macro_f1, bounds.macro_f1 if bounds else None),
    )
    return tuple(cell for rate, interval in rates for cell in (percent(rate), interval_cell(interval)))
