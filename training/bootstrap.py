"""Speaker bootstrap: how far UA, WA and macro-F1 would move with other test speakers. No torch.

Clips of one speaker are alike, so the speaker is what is drawn, with all clips (a cluster bootstrap: Field &
Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x). The interval is of the trained model: another seed, or
other training speakers, would move the result further. Percentiles are narrow where speakers are few: of
simulated tests (60 clips of 8 classes a speaker, UA 50 % with a deviation of 11 points between speakers) the
interval held the true UA in 75 % with 3 speakers, 85 % with 5, 89 % with 10 and 94 % with 24.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.confusion import Tally

REPLICATES = 2000

LEVEL = 0.95

FEWEST_SPEAKERS = 3
"""With fewer there is no interval: two speakers give four resamples, three of them different."""

_SEED = 0x5EEDB007


@dataclass(frozen=True)
class Interval:
    """Bounds of a share, 0…1."""

    low: float
    high: float


@dataclass(frozen=True)
class SpeakerIntervals:
    """Percentile intervals of one result, from ``replicates`` resamples of ``speakers`` speakers."""

    ua: Interval
    wa: Interval
    macro_f1: Interval
    speakers: int
    replicates: int
    level: float
    """Share of the replicates between the bounds."""


def speaker_intervals(by_speaker: NDArray[np.int64]) -> SpeakerIntervals | None:
    """Intervals of UA, WA and macro-F1 when as many speakers are drawn anew with replacement.

    ``by_speaker`` (speakers, classes, classes) are confusion matrices. A replicate is their sum, each as
    often as its speaker was drawn; its UA and macro-F1 are over the classes that have clips in it. The draw
    depends on the number of speakers alone, so that equal predictions have equal intervals. None where there
    are fewer than :data:`FEWEST_SPEAKERS`.
    """
    speakers = len(by_speaker)
    if speakers < FEWEST_SPEAKERS:
        return None
    drawn = Tally.of(by_speaker).weighted(_draws(speakers))
    return SpeakerIntervals(
        ua=_percentiles(drawn.ua),
        wa=_percentiles(drawn.wa),
        macro_f1=_percentiles(drawn.macro_f1),
        speakers=speakers,
        replicates=REPLICATES,
        level=LEVEL,
    )


def _draws(speakers: int) -> NDArray[np.float64]:
    """(replicates, speakers): how often each speaker is in each replicate."""
    generator = np.random.Generator(np.random.PCG64([_SEED, speakers]))
    return generator.multinomial(speakers, [1 / speakers] * speakers, size=REPLICATES).astype(np.float64)


def _percentiles(values: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(values, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(float(low), float(high))
