"""How differences of figures are written: points for rates, the units of the figure for CCC and RMSE."""

from __future__ import annotations

from training.metrics.comparison import ComparedFigure
from training.report.dimensions.wording import ccc, rmse
from training.report.wording import percent


def value(found: ComparedFigure, share: float) -> str:
    """The figure of one result: ``46.3 %``, ``0.613``."""
    if found.figure == "CCC":
        return ccc(share)
    return rmse(share) if found.figure == "RMSE" else percent(share)


def signed(found: ComparedFigure, amount: float) -> str:
    """A difference with its sign: ``+3.1``, ``−0.021``; a minus is a true minus, and 0 has no sign."""
    text = f"{amount:+.3f}" if found.figure in ("CCC", "RMSE") else f"{100 * amount:+.1f}"
    return _without_zero_sign(text)


def change(found: ComparedFigure) -> str:
    """The difference with its unit: ``+3.1 points``; CCC and RMSE have none."""
    text = signed(found, found.difference.value)
    return text if found.figure in ("CCC", "RMSE") else f"{text} points"


def bounds(found: ComparedFigure) -> str:
    """The interval of the difference: ``+1.0 to +5.2``; a dash without one."""
    interval = found.difference.interval
    return "–" if interval is None else f"{signed(found, interval.low)} to {signed(found, interval.high)}"


def p_cell(p: float | None) -> str:
    """``0.034``, ``< 0.001``; a dash for None."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _without_zero_sign(text: str) -> str:
    return text[1:] if not text.strip("+-0.") else text.replace("-", "−")
