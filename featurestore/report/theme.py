"""The style of the report's charts: colours that colour-blind readers can distinguish, and 10-point type.

The only text that charts take from a store is the names of corpora and views. Their characters are checked
when a store is opened, and even a dollar sign would not start a formula.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#8c959f"
)  # fmt: skip
"""Colours of Okabe & Ito (2008), and grey for what is unknown or combined."""

GENDER_COLOURS = {"female": RED, "male": BLUE, "unknown": GREY}
CORPUS_COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY)
EMOTION_COLOURS = {
    "neutral": GREY,
    "calm": SKY,
    "happy": ORANGE,
    "sad": BLUE,
    "angry": RED,
    "fearful": PINK,
    "disgust": GREEN,
    "surprised": "#1b1f24",
    "bored": YELLOW,
}

WIDTH = 9.0
"""Width of a chart in inches: 864 CSS pixels."""

NO_DATA = "#e6e8eb"
"""Colour of cells without a value, such as padding."""

_STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.edgecolor": "#8c959f",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#d8dee4",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "text.color": "#1b1f24",
    "axes.labelcolor": "#1b1f24",
    "xtick.color": "#57606a",
    "ytick.color": "#57606a",
    "xtick.labelcolor": "#1b1f24",
    "ytick.labelcolor": "#1b1f24",
}


@contextmanager
def figure(height: float, width: float = WIDTH) -> Iterator[Figure]:
    """A figure of this size in inches, in the report's style until the context ends."""
    with mpl.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def frame(axes: Axes) -> None:
    """Draw a thin line around all four sides of an image."""
    for spine in axes.spines.values():
        spine.set_visible(True)
