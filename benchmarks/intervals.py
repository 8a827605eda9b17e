"""Coverage of the speaker bootstrap's confidence interval by number of test speakers.

    python benchmarks/intervals.py

Tests are simulated with 60 clips of 8 classes per speaker. The share of a speaker's clips that is recognised
correctly is normally distributed with mean 50 % and standard deviation 11 points. A 95 % interval should
contain the 50 % in 95 % of the tests.
"""

from __future__ import annotations

import argparse

import numpy as np
from machine import write_result

from training.metrics.bootstrap import speaker_intervals
from training.metrics.confusion import confusions

SPEAKERS = (3, 4, 5, 8, 10, 24)
CLIPS, CLASSES, TRUTH, DEVIATION = 60, 8, 0.5, 0.11


def simulate(speakers: int, tests: int) -> dict[str, float]:
    """Share of tests with a UA interval that contains the true value, and mean width of the intervals."""
    random = np.random.default_rng(speakers)
    speaker = np.repeat(np.arange(speakers), CLIPS)
    true = np.tile(np.arange(CLIPS) % CLASSES, speakers)
    held, width = 0, 0.0
    for _ in range(tests):
        share = np.clip(random.normal(TRUTH, DEVIATION, speakers), 0, 1)
        right = random.random(len(true)) < share[speaker]
        wrong = (true + random.integers(1, CLASSES, len(true))) % CLASSES
        found = speaker_intervals(confusions(true, np.where(right, true, wrong), CLASSES, speaker))
        if found is not None:
            held += found.ua.low <= TRUTH <= found.ua.high
            width += found.ua.high - found.ua.low
    return {"coverage": held / tests, "width": width / tests}


def main() -> None:
    """Simulate, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tests", type=int, default=2000)
    options = parser.parse_args()
    found = {str(speakers): simulate(speakers, options.tests) for speakers in SPEAKERS}
    for speakers, row in found.items():
        print(f"{speakers:>2} speakers: {100 * row['coverage']:.1f} %, width {100 * row['width']:.1f} points")
    print(write_result("intervals", {"tests": options.tests, "speakers": found}))


if __name__ == "__main__":
    main()
