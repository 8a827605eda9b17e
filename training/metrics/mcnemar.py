"""McNemar's exact test of two classifiers on the same clips. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest


@dataclass(frozen=True)
class McNemar:
    """Clips by which of two classifiers recognised them, and the test of the discordant ones.

    The test counts clips as independent. Clips of one speaker are not, so that ``p`` is often too small.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    p: float
    """Two-sided and exact: that a fair coin splits the discordant clips at least as unevenly."""


def compare_answers(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """McNemar's test; ``first`` and ``second`` (clips,): whether each classifier is right about a clip.

    McNemar 1947, doi:10.1007/BF02295996, with binomial probabilities instead of their approximation by χ².
    ``p`` is 1 if no clip is discordant.
    """
    one, two = int((first & ~second).sum()), int((second & ~first).sum())
    return McNemar(
        both=int((first & second).sum()),
        only_first=one,
        only_second=two,
        neither=int((~first & ~second).sum()),
        p=float(binomtest(one, one + two).pvalue) if one + two else 1.0,
    )
