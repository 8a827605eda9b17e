"""What may be claimed about the difference of two results, as a record and as one sentence. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.messages.counts import format_count
from training.metrics.bootstrap import FEWEST_SPEAKERS, LEVEL
from training.metrics.comparison import ComparedFigure
from training.metrics.paired import smallest_p
from training.report.differences.wording import bounds, change
from training.splits.claim import Claim

FEWEST_FOR_CLAIM = 5
"""With fewer test speakers, an interval is too narrow: see :mod:`training.metrics.bootstrap`."""

ALPHA = 1 - LEVEL

_MOST = 1_000
"""With more test speakers, the lower limit of p hardly falls."""

Reason = Literal[
    "interval excludes 0",
    "interval includes 0",
    "correction",
    "few speakers for correction",
    "few speakers",
    "leaky",
]


@dataclass(frozen=True)
class Verdict:
    """Whether the result may be called better or worse than the baseline, and why."""

    claim: Literal["better", "worse"] | None
    reason: Reason


def judge(
    headline: ComparedFigure, adjusted_p: float | None, claim: Claim, *, comparisons: int = 1
) -> Verdict:
    """Judge a difference of UA or CCC.

    ``adjusted_p`` is its p-value after Holm's correction for so many ``comparisons``.
    """
    if claim.is_leaky:
        return Verdict(None, "leaky")
    if headline.speakers < FEWEST_FOR_CLAIM or adjusted_p is None:
        return Verdict(None, "few speakers")
    if not headline.difference.excludes_zero:
        return Verdict(None, "interval includes 0")
    if adjusted_p > ALPHA and headline.speakers < fewest_for(comparisons):
        return Verdict(None, "few speakers for correction")
    if adjusted_p > ALPHA:
        return Verdict(None, "correction")
    return Verdict("better" if headline.first_is_better else "worse", "interval excludes 0")


def fewest_for(comparisons: int) -> int:
    """Fewest test speakers with which the clearest of so many ``comparisons`` can pass Holm's correction.

    With few speakers, a p-value has a lower limit, which the correction multiplies. If no number is enough,
    it is :data:`FEWEST_FOR_CLAIM`.
    """
    enough = (n for n in range(FEWEST_FOR_CLAIM, _MOST) if comparisons * smallest_p(n) <= ALPHA)
    return next(enough, FEWEST_FOR_CLAIM)


def claim_sentence(
    verdict: Verdict,
    headline: ComparedFigure,
    claim: Claim,
    names: tuple[str, str],
    task: str,
    comparisons: int,
) -> str:
    """One sentence that says what may be claimed.

    ``claim`` of the baseline, normalised by speaker or corpus if either result is; ``names`` of result and
    baseline; ``task`` such as ``recognises emotions``; ``comparisons`` with the baseline, for which p was
    corrected.
    """
    first, second = names
    found = headline.difference
    measured = f"{headline.figure} {change(headline)}"
    tested = f"{format_count(headline.speakers, 'speaker')} of {' and '.join(claim.tested_on)}"
    interval = f"{100 * LEVEL:.0f} % interval {bounds(headline)}, {tested}"
    corrected = f", also after Holm's correction for {comparisons} comparisons" if comparisons > 1 else ""
    if verdict.claim is not None:
        said = f"{first} {task} {_whose(claim)} {verdict.claim} than {second}{_known(claim)}"
        return f"{said}: {measured} ({interval}){corrected}."
    none = f"No difference between {first} and {second} can be claimed: {measured}"
    if verdict.reason == "leaky":
        return f"{none}, but both models were trained on copies of the test recordings."
    if verdict.reason == "few speakers":
        has = "a reliable interval" if found.interval is not None else "an interval"
        needed = FEWEST_FOR_CLAIM if found.interval is not None else FEWEST_SPEAKERS
        return f"{none}, but {has} needs at least {needed} test speakers and this test has {tested}."
    if verdict.reason == "few speakers for correction":
        return (
            f"{none} ({interval}), but {comparisons} comparisons need at least {fewest_for(comparisons)} "
            "test speakers: with fewer, no difference passes Holm's correction."
        )
    if verdict.reason == "correction":
        return (
            f"{none} ({interval}) is not clear enough after Holm's correction for {comparisons} comparisons."
        )
    return f"{none} ({interval}, which includes 0)."


def _whose(claim: Claim) -> str:
    if claim.is_speaker_independent:
        return "of new speakers"
    return "of speakers that training heard"


def _known(claim: Claim) -> str:
    if claim.normalised_by_speaker:
        return ", if all clips of each speaker are known"
    return ", if many clips of the corpus are known" if claim.normalised_by_corpus else ""
