"""The result of a classifier in its model card."""

from __future__ import annotations

from schemas.labels import Target
from training.metrics.scores import Evaluation
from training.report.result import RunResult
from training.report.tables import markdown_table
from training.report.temperature import temperature_sentences
from training.report.text import (
    CLASS_HEADER,
    GROUP_HEADER,
    RATE_HEADER,
    SUMMARY_HEADER,
    class_rows,
    group_rows,
    rate_rows,
    size_of_test,
    summary_rows,
)
from training.report.wording import (
    AVERAGES,
    calibration_sentence,
    capitalise,
    interval_note,
    speaker_spread,
)


def class_section(
    result: RunResult, test: Evaluation, validation: Evaluation, tested: str, validation_note: str
) -> str:
    """Markdown of the test of a classifier; ``tested`` follows the size of the test."""
    target = result.record.recipe.labels.target
    groups = (*test.emotion.by_corpus, *test.emotion.by_gender)
    calibration = (calibration_sentence(test.emotion), *temperature_sentences([result.temperature]))
    spread = speaker_spread(test.emotion) or "there is only one test speaker"
    return f"""\
{size_of_test(test.own, result.claim)}{tested}
{markdown_table(("test", *SUMMARY_HEADER), summary_rows(test, target))}

{interval_note(test.emotion)} {AVERAGES}

{markdown_table(("test, emotion in", *GROUP_HEADER), group_rows(groups))}

{capitalise(spread)}.
{". ".join(map(capitalise, calibration))}.

{markdown_table(("validation", *RATE_HEADER), rate_rows(validation, target))}

{validation_note}

{_class_tables(test, target)}

{_files(result)}"""


def _class_tables(test: Evaluation, target: Target) -> str:
    tables = [markdown_table(("emotion", *CLASS_HEADER), class_rows(test.emotion))]
    if target is Target.GENDER_EMOTION:
        tables.insert(0, markdown_table(("gender × emotion", *CLASS_HEADER), class_rows(test.own)))
    return "\n\n".join(tables)


def _files(result: RunResult) -> str:
    both = result.record.recipe.labels.target is Target.GENDER_EMOTION
    matrices = "`confusion.png`, `confusion-emotion.png`" if both else "`confusion-emotion.png`"
    clips = " Every test clip: `predictions.csv`." if result.predictions is not None else ""
    return (
        f"Confusion matrices: {matrices}. Calibration: `reliability.png`. All figures, including each "
        f"speaker: `metrics.json`.{clips} Everything on one page: `report.html`."
    )
