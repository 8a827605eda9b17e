"""What a model listens to, as a table and as sentences."""

from __future__ import annotations

from schemas.messages.counts import format_count
from training.metrics.bootstrap import FEWEST_SPEAKERS
from training.metrics.importance import Importance
from training.report.tables import text_table
from training.report.wording import percent, speakers, wrap

HEADER = ("part of the input", "importance", "95 % interval", "lowest–highest")

NOT_THE_VOICE = (
    "Importance describes this model, not the voice: another model may use other features. Parts that carry "
    "the same information share it, so each looks less important than it is."
)
"""What importance does not mean."""


def importance_rows(found: Importance) -> list[tuple[str, ...]]:
    """Cells for each part, the most important first, in points of UA."""
    return [
        (
            part.name,
            points(part.drop),
            "–" if part.interval is None else f"{points(part.interval.low)} to {points(part.interval.high)}",
            f"{points(min(part.drops))} to {points(max(part.drops))}",
        )
        for part in found.ranked
    ]


def importance_note(found: Importance) -> str:
    """How importance was measured."""
    interval = (
        "The interval is over the test speakers (bootstrap)."
        if found.speakers >= FEWEST_SPEAKERS
        else f"There is no interval: it needs at least {FEWEST_SPEAKERS} test speakers."
    )
    return (
        f"Importance: points of UA that are lost if the clips of a corpus exchange this part of their input "
        f"at random, mean of {format_count(found.repeats, 'permutation')}; the last column has the lowest "
        f"and the highest of them. Without a change, UA is {percent(found.ua)} over {found.clips:,} test "
        f"clips of {speakers(found.speakers)}. {interval}"
    )


def importance_text(found: Importance) -> str:
    """Text for a terminal."""
    table = text_table(HEADER, importance_rows(found))
    return "\n\n".join([table, wrap(importance_note(found)), wrap(NOT_THE_VOICE)]) + "\n"


def points(share: float) -> str:
    """``12.3``: hundredths, with a minus sign below 0."""
    return f"{100 * share:.1f}".replace("-0.0", "0.0").replace("-", "−")
