"""The result of a regression in its model card."""

from __future__ import annotations

from training.metrics.dimensions import DimensionEvaluation
from training.report.dimensions.text import SCORE_HEADER, group_header, group_rows, score_rows
from training.report.dimensions.wording import DEFINITIONS, speaker_spread
from training.report.result import RunResult
from training.report.tables import markdown_table
from training.report.wording import capitalise, interval_note, tested_clips


def dimension_section(
    result: RunResult,
    test: DimensionEvaluation,
    validation: DimensionEvaluation,
    tested: str,
    validation_note: str,
) -> str:
    """Markdown of the test of a regression; ``tested`` follows the size of the test."""
    groups = (*test.by_corpus, *test.by_gender)
    spread = speaker_spread(test) or "there is only one test speaker"
    clips = " Every test clip: `predictions.csv`." if result.predictions is not None else ""
    return f"""\
{tested_clips(test.support, test.speakers, result.claim)}{tested}
{markdown_table(("test", *SCORE_HEADER), score_rows(test))}

{interval_note(test)} {DEFINITIONS}

{markdown_table(("test clips of", *group_header(test.names)), group_rows(groups))}

{capitalise(spread)}.

![Predictions against labels](scatter.png)

{markdown_table(("validation", *SCORE_HEADER), score_rows(validation))}

{validation_note}

Predictions against labels: `scatter.png`. All figures, including each speaker: `metrics.json`.{clips}
Everything on one page: `report.html`."""
