"""Pictures of an answer: waveform and features of a clip, and probabilities over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from featurestore.page.picture import Picture, png_picture
from pipelines.features.mel_scale import mel_edges
from training.predict.predictor import Prediction
from training.web.answer import DemoAnswer
from training.web.colours import COLOURS
from training.web.hearing import HeardClip, Sound

_INK, _LEFT_OUT, _WAVE = "#1f2933", "#c3ccd6", "#0b5cad"
_COLUMNS = 1200
"""Points across a waveform."""

_WIDTH = 7.4
"""Inches."""

_HERTZ = (250, 500, 1000, 2000, 4000, 8000, 16000)


def clip_picture(heard: HeardClip) -> Picture:
    """Waveform, with parts left out in grey, above the feature that the model received."""
    figure = Figure(figsize=(_WIDTH, 4.3), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    end_s = heard.start_s + heard.sound.duration_s
    _wave(above, heard.sound, heard.start_s, _LEFT_OUT)
    _wave(above, heard.sound, heard.start_s, _WAVE, (heard.heard_from_s, heard.heard_to_s))
    for axes in (above, below):
        _shade(axes, heard.start_s, heard.heard_from_s)
        _shade(axes, heard.heard_to_s, end_s)
    above.set(ylabel="amplitude", xlim=(heard.start_s, end_s))
    _features(below, figure, heard)
    below.set(xlabel="s")
    _style_axes(above, below)
    alt = (
        f"Waveform from {heard.start_s:.1f} to {end_s:.1f} s; the model hears {heard.heard_from_s:.2f} to "
        f"{heard.heard_to_s:.2f} s of it. Below, the {_feature_label(heard.feature)} of what it hears."
    )
    return png_picture(figure, alt)


def timeline_picture(answer: DemoAnswer) -> Picture:
    """Waveform of a long recording above the stacked probabilities of its windows; silence is white."""
    figure = Figure(figsize=(_WIDTH, 4.3), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    _wave(above, answer.sound, 0.0, _WAVE)
    above.set(ylabel="amplitude", xlim=(0, answer.sound.duration_s))
    edges, shares = _edges(answer.windows), _shares(answer.windows, len(answer.emotions))
    top = np.cumsum(shares, axis=1)
    for i, emotion in enumerate(answer.emotions):
        base = top[:, i] - shares[:, i]
        below.stairs(
            100 * top[:, i],
            edges,
            baseline=100 * base,
            fill=True,
            color=COLOURS[i % len(COLOURS)],
            label=emotion,
        )
    below.set(xlabel="s", ylabel="probability (%)", ylim=(0, 100))
    _style_axes(above, below)
    figure.legend(loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    spans = ", ".join(
        f"{window.start_s:.0f} s {window.ranked[0][0] if window.ranked else 'silence'}"
        for window in answer.windows[:: max(1, len(answer.windows) // 12)]
    )
    return png_picture(figure, f"Waveform, and the probability of each emotion over time: {spans}.")


def _wave(
    axes: Axes, sound: Sound, start_s: float, colour: str, span: tuple[float, float] | None = None
) -> None:
    """Draw the extremes of the samples per column, of the whole sound or of ``span`` in seconds."""
    samples = sound.samples
    first, last = (0, len(samples))
    if span is not None:
        first, last = (round((second - start_s) * sound.rate) for second in span)
    width = max(1, -(-len(samples) // _COLUMNS))
    columns = range(first, max(last, first + 1), width)
    times = [start_s + (column + width / 2) / sound.rate for column in columns]
    low = [float(samples[column : column + width].min(initial=0)) for column in columns]
    high = [float(samples[column : column + width].max(initial=0)) for column in columns]
    axes.fill_between(times, low, high, color=colour, linewidth=0.6)


def _shade(axes: Axes, start_s: float, stop_s: float) -> None:
    if stop_s - start_s > 1e-3:
        axes.axvspan(start_s, stop_s, facecolor="#f1f4f7", edgecolor="#dde3ea", hatch="///", linewidth=0)


def _features(axes: Axes, figure: Figure, heard: HeardClip) -> None:
    rows, frames = heard.values.shape
    half = heard.hop_s / 2
    extent = (
        heard.heard_from_s - half,
        heard.heard_from_s + (frames - 1) * heard.hop_s + half,
        -0.5,
        rows - 0.5,
    )
    image = axes.imshow(
        heard.values.astype(np.float32),
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="magma",
        interpolation="nearest",
        zorder=2,
    )
    if heard.feature == "mel":
        peaks = mel_edges(heard.sound.rate, rows)[1:-1]
        shown = [hertz for hertz in _HERTZ if peaks[0] <= hertz <= peaks[-1]]
        axes.yaxis.set_major_locator(
            FixedLocator([float(np.interp(h, peaks, np.arange(rows))) for h in shown])
        )
        axes.yaxis.set_major_formatter(FuncFormatter(lambda _, index: f"{shown[index or 0]:,}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel("Hz, mel scale")
        figure.colorbar(image, ax=axes, label="dB", pad=0.01, aspect=18)
    else:
        axes.set_ylabel(f"{heard.feature}, coefficient")
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        figure.colorbar(image, ax=axes, pad=0.01, aspect=18)


def _feature_label(feature: str) -> str:
    return "mel spectrogram" if feature == "mel" else f"feature {feature}"


def _edges(windows: Sequence[Prediction]) -> NDArray[np.float64]:
    """(windows + 1,) seconds: each window is drawn where its middle is the nearest."""
    middles = np.array([(window.start_s + window.stop_s) / 2 for window in windows])
    between = (middles[1:] + middles[:-1]) / 2
    return np.concatenate([[windows[0].start_s], between, [windows[-1].stop_s]])


def _shares(windows: Sequence[Prediction], emotions: int) -> NDArray[np.float64]:
    """Probabilities (windows, emotions), NaN for silent windows."""
    nothing = np.full(emotions, np.nan)
    return np.stack([nothing if w.probabilities is None else w.probabilities for w in windows])


def _style_axes(*axes: Axes) -> None:
    for each in axes:
        each.tick_params(labelsize=9, colors=_INK, length=3)
        each.spines[["top", "right"]].set_visible(False)
        for side in ("left", "bottom"):
            each.spines[side].set_color("#9aa5b1")
        each.yaxis.label.set(size=9, color=_INK)
        each.xaxis.label.set(size=9, color=_INK)
