"""How every report writes figures, and the notes that belong to them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from types import MappingProxyType

from schemas.messages.counts import choose_form, format_count
from training.metrics.bootstrap import FEWEST_SPEAKERS, DimensionIntervals, Interval, SpeakerIntervals
from training.metrics.dimensions import DimensionEvaluation
from training.metrics.scores import Scores
from training.models.layer_weights import LayerShares
from training.splits.claim import Claim, Independence

WIDTH = 100
"""Columns of a report on a terminal."""

AVERAGES = (
    "UA (unweighted average recall) and macro-F1 are means over the classes that have test clips; "
    "WA is the accuracy."
)
"""Definitions of the figures."""

_INDEPENDENCE: Mapping[Independence, str | None] = MappingProxyType(
    {
        "speaker-independent": None,
        "speaker-dependent": "speaker-dependent: training heard the test speakers; the result says nothing "
        "about new speakers",
        "leaky": "leaky: training heard copies of the test recordings; the result says nothing about new "
        "recordings, and even less about new speakers",
    }
)
"""What a reader must know, by what training shared with the test."""

_BY_SPEAKER = (
    "normalised by speaker: each clip is normalised with all clips of its speaker (labels are not used); the "
    "result says nothing about a single clip of a new speaker"
)

_BY_CORPUS = (
    "normalised by corpus: each clip is normalised with all clips of its corpus, test clips included (labels "
    "are not used); the result says nothing about a single clip of a new corpus"
)

_FEW_SPEAKERS = 5


def warning(claim: Claim) -> str | None:
    """What must be read with a result; None if it is speaker-independent and nothing else."""
    found = [
        _INDEPENDENCE[claim.independence],
        _BY_SPEAKER if claim.normalised_by_speaker else None,
        _BY_CORPUS if claim.normalised_by_corpus else None,
    ]
    return "; ".join(filter(None, found)) or None


def percent(share: float) -> str:
    """``46.3 %``."""
    return f"{100 * share:.1f} %"


def interval_cell(interval: Interval | None) -> str:
    """``41.0–52.2`` in %; a dash for None."""
    return "–" if interval is None else f"{100 * interval.low:.1f}–{100 * interval.high:.1f}"


def ua_with_interval(scores: Scores) -> str:
    """``UA 46.3 % (95 % interval 41.0 to 52.2)``."""
    found = scores.intervals
    if found is None:
        return f"UA {percent(scores.ua)} (no interval: {speakers(scores.speakers)})"
    level = f"{100 * found.level:.0f} %"
    return f"UA {percent(scores.ua)} ({level} interval {100 * found.ua.low:.1f} to {100 * found.ua.high:.1f})"


def interval_note(scores: Scores | DimensionEvaluation) -> str:
    """How the interval was computed, or why there is none."""
    found: SpeakerIntervals | DimensionIntervals | None = scores.intervals
    if found is None:
        return (
            f"No interval: the speaker bootstrap needs at least {FEWEST_SPEAKERS} test speakers; this test "
            f"has {scores.speakers}."
        )
    method = (
        f"{100 * found.level:.0f} % interval: speaker bootstrap, expanded percentiles of "
        f"{found.replicates:,} resamples of the {found.speakers} test speakers with all their clips"
    )
    few = " With fewer than five speakers, it is too narrow." if found.speakers < _FEW_SPEAKERS else ""
    return f"{method}. It does not include variation between training runs.{few}"


def speakers(count: int) -> str:
    """``1 speaker``, ``5 speakers``."""
    return f"{count} {choose_form(count, 'speaker')}"


def classes(scores: Scores) -> str:
    """``7 classes``, or ``6 of 7 classes`` if some have no test clips."""
    count = len(scores.per_class)
    return (
        format_count(count, "class", "classes")
        if scores.tested == count
        else f"{scores.tested} of {count} classes"
    )


def calibration_sentence(scores: Scores) -> str:
    """Calibration error with its direction, and the Brier score."""
    found = scores.calibration
    excess = found.confidence - scores.wa
    leaning = "over" if excess > 0 else "under"
    side = f"{leaning}-confident" if abs(excess) >= 0.005 else "balanced"
    return (
        f"calibration error (ECE, 15 bins) {percent(found.ece)}: {side}, mean confidence "
        f"{percent(found.confidence)} at an accuracy of {percent(scores.wa)}; Brier score {found.brier:.3f}"
    )


def layer_sentence(shares: LayerShares) -> str:
    """The learnt weights of a feature's layers: ``weights of the layers of whisper-base: 1 0.12, 2 0.88``."""
    each = zip(shares.layers, shares.weights, strict=True)
    return (
        f"weights of the layers of {shares.feature}: {', '.join(f'{n} {weight:.2f}' for n, weight in each)}"
    )


def speaker_spread(scores: Scores) -> str | None:
    """Lowest, highest and median UA of the test speakers; None for a single speaker."""
    ranked = sorted(scores.by_speaker, key=lambda score: (score.ua, score.name))
    if len(ranked) < 2:
        return None
    middle = (ranked[(len(ranked) - 1) // 2].ua + ranked[len(ranked) // 2].ua) / 2
    low, high = ranked[0], ranked[-1]
    return (
        f"UA by speaker: {percent(low.ua)} ({low.name}) to {percent(high.ua)} ({high.name}), "
        f"median {percent(middle)}"
    )


def tested_clips(support: int, of_speakers: int, claim: Claim) -> str:
    """``940 test clips of 5 speakers``.

    ``940 test samples (views of clips) of …`` if views of one clip are on several sides.
    """
    what = "samples (views of clips)" if claim.is_leaky else "clips"
    return f"{support:,} test {what} of {speakers(of_speakers)}"


def wrap(sentence: str) -> str:
    """Break a sentence into lines of :data:`WIDTH` columns."""
    return "\n".join(textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False))


def capitalise(sentence: str) -> str:
    """Capitalise the first letter only."""
    return sentence[:1].upper() + sentence[1:]
