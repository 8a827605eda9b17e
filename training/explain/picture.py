"""Picture of an occlusion: a spectrogram, with the effect of hiding each window and each band beside it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray
from scipy.signal import stft

from pipelines.features.mel_scale import mel_edges, mel_filters
from training.explain.occlusion import Occlusion
from training.predict.windows import Span, Waveform

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_HERTZ = (250, 500, 1000, 2000, 4000, 8000, 16000)
_ROWS = 96
_WINDOW_S, _HOP_S = 0.032, 0.008
_RANGE_DB = 80.0
_WIDTH, _HEIGHT = 7.4, 4.6
"""Inches."""


def occlusion_figure(found: Occlusion, heading: str = "") -> Figure:
    """Draw the spectrogram of what the model hears; below it the effect of time, beside it that of frequency.

    An effect above 0: without this part, the probability of the predicted emotion is lower. Of a regression,
    one line per dimension.
    """
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    grid = figure.subplots(2, 2, width_ratios=(4, 1.3), height_ratios=(3, 1.6))
    sound, beside, below, corner = grid[0, 0], grid[0, 1], grid[1, 0], grid[1, 1]
    corner.set_axis_off()
    _draw_spectrogram(sound, found)
    factor = 1.0 if found.is_regression else 100.0
    shown = [factor * each[:, found.shown] for each in (found.by_window, found.by_band)]
    low = 1.1 * min(-1e-3, *(float(each.min()) for each in shown))
    high = 1.1 * max(1e-3, *(float(each.max()) for each in shown))
    label = "change of value" if found.is_regression else f"{found.outputs[found.shown[0]]}: points lost"
    for number, output in enumerate(found.shown):
        colour, name = _COLOURS[number % len(_COLOURS)], found.outputs[output]
        below.plot(
            _middles(found.parts.windows), factor * found.by_window[:, output], color=colour, label=name
        )
        beside.plot(
            factor * found.by_band[:, output], _mel(_middles(found.parts.bands), found.rate), color=colour
        )
    if found.is_regression:
        corner.legend(*below.get_legend_handles_labels(), loc="center", frameon=False, fontsize=9)
    else:
        (output,) = found.shown
        _fill(below, beside, found, output)
    below.axhline(0, color="black", linewidth=0.8)
    beside.axvline(0, color="black", linewidth=0.8)
    below.set(xlim=(found.start_s, found.stop_s), ylim=(low, high), xlabel="s")
    beside.set(ylim=(-0.5, _ROWS - 0.5), xlim=(low, high))
    below.set_ylabel(label, fontsize=9)
    beside.set_xlabel(label, fontsize=9)
    beside.xaxis.tick_top()
    beside.xaxis.set_label_position("top")
    beside.tick_params(labelleft=False)
    sound.tick_params(labelbottom=False)
    beside.xaxis.set_major_locator(MaxNLocator(3))
    for axes in (sound, beside, below):
        axes.tick_params(labelsize=9)
        axes.grid(alpha=0.25)
    if heading:
        figure.suptitle(heading, fontsize=11)
    return figure


def title_of(found: Occlusion, clip: str) -> str:
    """Heading of the picture: the clip and what is predicted for it."""
    if found.is_regression:
        each = zip(found.outputs, found.whole, strict=True)
        return f"{clip}: {', '.join(f'{name} {value:.3g}' for name, value in each)}"
    (output,) = found.shown
    return f"{clip}: {found.outputs[output]} {100 * found.whole[output]:.0f} %"


def describe(found: Occlusion) -> str:
    """The parts that matter most, in words: for the text alternative of the picture."""
    output = found.shown[0]
    window = found.parts.windows[int(np.abs(found.by_window[:, output]).argmax())]
    band = found.parts.bands[int(np.abs(found.by_band[:, output]).argmax())]
    return (
        f"Spectrogram from {found.start_s:.2f} to {found.stop_s:.2f} s, with the effect of hiding parts on "
        f"{found.outputs[output]}. The effect is largest for {window[0]:.2f} to {window[1]:.2f} s and for "
        f"{band[0]:,.0f} to {band[1]:,.0f} Hz"
    )


def _fill(below: Axes, beside: Axes, found: Occlusion, output: int) -> None:
    times, middles = _middles(found.parts.windows), _mel(_middles(found.parts.bands), found.rate)
    below.fill_between(times, 0, 100 * found.by_window[:, output], color=_COLOURS[0], alpha=0.25)
    beside.fill_betweenx(middles, 0, 100 * found.by_band[:, output], color=_COLOURS[0], alpha=0.25)


def _draw_spectrogram(axes: Axes, found: Occlusion) -> None:
    levels = _mel_levels(found.samples, found.rate)
    frames = levels.shape[1]
    half = _HOP_S / 2
    axes.imshow(
        levels,
        origin="lower",
        aspect="auto",
        extent=(found.start_s - half, found.start_s + (frames - 1) * _HOP_S + half, -0.5, _ROWS - 0.5),
        cmap="magma",
        vmin=levels.max() - _RANGE_DB,
        interpolation="nearest",
    )
    axes.set(xlim=(found.start_s, found.stop_s), ylim=(-0.5, _ROWS - 0.5))
    shown = [hertz for hertz in _HERTZ if hertz < found.rate / 2]
    axes.yaxis.set_major_locator(FixedLocator(_mel(np.array(shown, dtype=np.float64), found.rate).tolist()))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda _, index: f"{shown[index or 0]:,}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("Hz, mel scale", fontsize=9)


def _mel_levels(samples: Waveform, rate: int) -> NDArray[np.float64]:
    """Mel spectrogram in dB, (rows, frames): 32 ms Hann windows, every 8 ms."""
    hop = round(_HOP_S * rate)
    width = min(round(_WINDOW_S * rate), len(samples))
    size = max(1024, width)
    _, _, spectrum = stft(
        samples.astype(np.float64), rate, nperseg=width, noverlap=max(0, width - hop), nfft=size
    )
    power = mel_filters(rate, size, _ROWS) @ np.abs(spectrum) ** 2
    return np.asarray(10 * np.log10(np.maximum(power, power.max() * 1e-10)))


def _mel(hertz: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Row of each frequency in the spectrogram."""
    return np.asarray(np.interp(hertz, mel_edges(rate, _ROWS)[1:-1], np.arange(_ROWS)))


def _middles(spans: tuple[Span, ...]) -> NDArray[np.float64]:
    return np.asarray(np.array(spans).mean(axis=1))
