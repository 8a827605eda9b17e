"""Figures of a training run: losses, validation UA and WA or CCC, and learning rate over epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.report.drawing import encode_png
from training.runs.observer import AnyEpochResult, DimensionEpochResult, EpochResult


def curves_png(history: Sequence[AnyEpochResult], title: str, reason: str | None = None) -> bytes:
    """Losses, validation metrics, and learning rate against at least one epoch, with the best marked.

    The best epoch is the last one recorded as the best so far; ``reason`` says why, such as ``lowest
    validation loss``.
    """
    figure = Figure(figsize=(13, 4), layout="constrained")
    for draw, axes in zip(_CURVES, figure.subplots(1, 3, width_ratios=(4, 4, 3)), strict=True):
        _draw_curve(draw, axes, history, reason)
    figure.suptitle(title)
    return encode_png(figure)


def curve_figures(
    history: Sequence[AnyEpochResult], reason: str | None = None
) -> tuple[Figure, Figure, Figure]:
    """The three diagrams of :func:`curves_png`, one figure each: losses, validation, learning rate."""
    loss, share, rate = (Figure(figsize=(4.6, 3.5), layout="constrained") for _ in _CURVES)
    for draw, figure in zip(_CURVES, (loss, share, rate), strict=True):
        _draw_curve(draw, figure.subplots(), history, reason)
    return loss, share, rate


def _draw_curve(draw: _Draw, axes: Axes, history: Sequence[AnyEpochResult], reason: str | None) -> None:
    """Draw one diagram against epochs, with the best marked."""
    epochs = [result.epoch for result in history]
    draw(axes, epochs, history)
    best = max((result.epoch for result in history if result.best), default=None)
    if best is not None:
        marked = f"epoch {best}" + (f", {reason}" if reason else ", best")
        axes.axvline(best, color="grey", linestyle=":", label=marked)
    axes.set_xlim(0.5, epochs[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    if draw is not _draw_rates:
        axes.legend()


def _draw_losses(axes: Axes, epochs: Sequence[int], history: Sequence[AnyEpochResult]) -> None:
    axes.plot(epochs, [r.train_loss for r in history], marker=".", label="training")
    axes.plot(epochs, [r.validation_loss for r in history], marker="x", label="validation")
    of_classes = isinstance(history[0], EpochResult)
    axes.set(xlabel="epoch", ylabel="cross-entropy (nats)" if of_classes else "1 − CCC")


def _draw_validation(axes: Axes, epochs: Sequence[int], history: Sequence[AnyEpochResult]) -> None:
    shares = [r for r in history if isinstance(r, EpochResult)]
    if shares:
        axes.plot(epochs, [100 * r.validation_ua for r in shares], marker=".", label="UA, validation")
        axes.plot(epochs, [100 * r.validation_wa for r in shares], marker="x", label="WA, validation")
        axes.set(xlabel="epoch", ylabel="%", ylim=(0, 100))
        return
    agreement = [r.validation_ccc for r in history if isinstance(r, DimensionEpochResult)]
    axes.plot(epochs, agreement, marker=".", label="CCC, validation")
    axes.set(xlabel="epoch", ylabel="CCC", ylim=(min(0.0, *agreement, 0.0) * 1.05, 1))


def _draw_rates(axes: Axes, epochs: Sequence[int], history: Sequence[AnyEpochResult]) -> None:
    rates = [r.learning_rate for r in history]
    axes.plot(epochs, rates, marker=".", color="tab:green")
    axes.set(xlabel="epoch", ylabel="learning rate", yscale="log" if min(rates) > 0 else "linear")


_Draw = Callable[[Axes, Sequence[int], Sequence[AnyEpochResult]], None]

_CURVES: tuple[_Draw, ...] = (_draw_losses, _draw_validation, _draw_rates)
