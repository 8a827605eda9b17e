"""Pictures of mel spectrograms, and heat maps of their means and correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap

from featurestore.page.picture import Picture, png_picture
from featurestore.report.axes import MelAxes
from featurestore.report.blocks import Doubles, Floats
from featurestore.report.correlation import Correlation
from featurestore.report.examples import Example
from featurestore.report.spectra import MeanSpectra
from featurestore.report.theme import NO_DATA, WIDTH, figure, frame
from schemas.messages.counts import format_count

MOST_PIXELS = 640
"""Frames or bands in one picture; if there are more, several are averaged into a pixel."""

DYNAMIC_RANGE_DB = 80.0

LEAST_SHARE = 0.05
"""Share of an emotion's clips below which a mean is not drawn."""

_LEVELS = 80
"""Colours in a spectrogram: one per dB."""

_TICKS_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000)


def draw_mean_spectrograms(means: MeanSpectra, at: MelAxes) -> Picture:
    """The mean spectrogram of each emotion, all on one colour scale.

    Frames with sound in less than :data:`LEAST_SHARE` of the emotion's clips are grey.
    """
    columns = min(3, len(means.emotions))
    rows = -(-len(means.emotions) // columns)
    most = means.clips.max(axis=1, initial=0)[:, np.newaxis]
    enough = means.clips >= np.maximum(1, LEAST_SHARE * most)
    shown = np.where(enough[:, np.newaxis], means.spectrogram, np.nan)
    low, high = _limits(shown)
    with figure(2.05 * rows + 0.3, WIDTH if columns > 1 else 0.6 * WIDTH) as drawn:
        panels = drawn.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes, emotion, values, clips in zip(
            panels.flat, means.emotions, shown, means.clips, strict=False
        ):
            image = _spectrogram(axes, values, at, (low, high))
            axes.set_title(f"{emotion}, {format_count(int(clips.max(initial=0)), 'clip')}")
        _label_outside(panels, len(means.emotions))
        drawn.colorbar(image, ax=panels, label="mean level (dB)", aspect=30, pad=0.015)
        return png_picture(drawn, f"Mean mel spectrograms of {', '.join(means.emotions)}")


def draw_contrast(means: MeanSpectra, at: MelAxes) -> Picture:
    """Difference between each emotion's mean spectrum and the mean over emotions, in dB, by frequency."""
    contrast = means.contrast
    most = max(1.0, float(np.nanmax(np.abs(contrast), initial=0)))
    with figure(0.9 + 0.3 * len(means.emotions)) as drawn:
        axes = drawn.subplots()
        image = axes.imshow(
            contrast, aspect="auto", cmap=colour_map("RdBu_r"), vmin=-most, vmax=most, interpolation="nearest"
        )
        positions, names = _hertz_ticks(at, apart=0.05)
        axes.set_xticks(positions, names)
        axes.set_yticks(range(len(means.emotions)), means.emotions)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("frequency (Hz, mel scale)")
        frame(axes)
        drawn.colorbar(image, ax=axes, label="dB", pad=0.015)
        return png_picture(drawn, "Mean spectrum of each emotion minus the mean over emotions, by frequency")


def draw_correlation(found: Correlation) -> Picture:
    """Pearson's r for all pairs of coefficients, from −1 (blue) to 1 (red)."""
    count = len(found.matrix)
    with figure(5.6, 6.6) as drawn:
        axes = drawn.subplots()
        image = axes.imshow(found.matrix, cmap=colour_map("RdBu_r"), vmin=-1, vmax=1, interpolation="nearest")
        step = max(1, round(count / 8 / 5) * 5) if count > 12 else 1
        axes.set_xticks(range(0, count, step))
        axes.set_yticks(range(0, count, step))
        axes.set(xlabel="MFCC", ylabel="MFCC")
        frame(axes)
        drawn.colorbar(image, ax=axes, label="Pearson's r", pad=0.02)
        return png_picture(drawn, f"Correlation between {count} MFCCs as a heat map")


def draw_example(example: Example, at: MelAxes, limits: tuple[float, float]) -> Picture:
    """The mel spectrogram of a clip in each view, from 0 to the end of the window; padding is grey."""
    views = example.views
    columns = min(4, len(views))
    rows = -(-len(views) // columns)
    with figure(1.95 * rows + 0.2, WIDTH * max(0.45, columns / 4)) as drawn:
        panels = drawn.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes, view in zip(panels.flat, views, strict=False):
            values = np.full((len(at.hertz), len(at.seconds)), np.nan)
            values[:, : view.mel.shape[1]] = view.mel
            image = _spectrogram(axes, values, at, limits)
            axes.set_title(
                f"{view.index} {view.name}" + (f"\n{view.drawn}" if view.drawn else "\nas recorded")
            )
            axes.title.set_fontsize(10)
        _label_outside(panels, len(views))
        drawn.colorbar(image, ax=panels, label="level (dB)", aspect=26, pad=0.015)
        names = ", ".join(view.name for view in views)
        return png_picture(
            drawn, f"Mel spectrograms of a clip labelled {example.emotion}, in the views {names}"
        )


def common_limits(examples: Sequence[Example]) -> tuple[float, float]:
    """Colour scale for all examples: from :data:`DYNAMIC_RANGE_DB` below the loudest point up to it."""
    peaks = [_finite(view.mel).max(initial=-np.inf) for example in examples for view in example.views]
    high = float(np.ceil(max(peaks, default=0.0)))
    high = high if np.isfinite(high) else 0.0
    return high - DYNAMIC_RANGE_DB, high


def pool(values: Doubles, axis: int) -> Doubles:
    """Average neighbours along ``axis`` so that at most :data:`MOST_PIXELS` values remain."""
    step = -(-values.shape[axis] // MOST_PIXELS)
    if step <= 1:
        return values
    starts = np.arange(0, values.shape[axis], step)
    sizes = np.diff([*starts, values.shape[axis]])
    shape = [1] * values.ndim
    shape[axis] = len(sizes)
    means: Doubles = np.add.reduceat(values, starts, axis=axis) / sizes.reshape(shape)
    return means


def colour_map(name: str) -> Colormap:
    """A colour map of matplotlib in steps, with :data:`NO_DATA` for what has no value."""
    return mpl.colormaps[name].resampled(_LEVELS).with_extremes(bad=NO_DATA)


def _spectrogram(axes: Axes, values: Doubles, at: MelAxes, limits: tuple[float, float]) -> Any:
    bands, half = len(at.hertz), 0.5 * (at.seconds[1] - at.seconds[0] if len(at.seconds) > 1 else 1.0)
    image = axes.imshow(
        pool(pool(np.asarray(values, np.float64), 0), 1),
        origin="lower",
        aspect="auto",
        cmap=colour_map("magma"),
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
        extent=(at.seconds[0] - half, at.seconds[-1] + half, -0.5, bands - 0.5),
    )
    positions, names = _hertz_ticks(at, apart=0.15)
    axes.set_yticks(positions, names)
    axes.set_xlim(0, at.seconds[-1])
    frame(axes)
    return image


def _hertz_ticks(at: MelAxes, apart: float) -> tuple[list[float], list[str]]:
    """Positions and labels of ticks on an axis of bands, at least the share ``apart`` of its length apart."""
    bands = np.arange(len(at.hertz))
    ticks: list[tuple[float, float]] = []
    for hertz in _TICKS_HZ[::-1]:
        position = float(np.interp(hertz, at.hertz, bands))
        inside = at.hertz[0] <= hertz <= at.hertz[-1]
        if inside and (not ticks or ticks[-1][0] - position >= apart * len(bands)):
            ticks.append((position, hertz))
    return [position for position, _ in ticks], [
        f"{hz / 1000:g}k" if hz >= 1000 else f"{hz:g}" for _, hz in ticks
    ]


def _label_outside(panels: Any, count: int) -> None:
    """Label the left axes and the lowest panel of each column, and hide empty panels."""
    columns = panels.shape[1]
    for index, axes in enumerate(panels.flat):
        if index >= count:
            axes.set_axis_off()
        elif index + columns >= count:
            axes.set_xlabel("time (s)")
            axes.tick_params(labelbottom=True)
    for axes in panels[:, 0][: -(-count // columns)]:
        axes.set_ylabel("frequency (Hz)")


def _limits(values: Doubles) -> tuple[float, float]:
    there = _finite(values)
    if not len(there):
        return -DYNAMIC_RANGE_DB, 0.0
    low, high = float(np.floor(there.min())), float(np.ceil(there.max()))
    return low, max(high, low + 1)


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]
