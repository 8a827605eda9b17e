"""Pictures of the map of clips, coloured by what clips are grouped by."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from featurestore.page.picture import Picture, png_picture
from featurestore.report.blocks import Doubles
from featurestore.report.clip_map import NOT_KNOWN, Grouping, Kind, MapPoints
from featurestore.report.theme import CORPUS_COLOURS, EMOTION_COLOURS, GENDER_COLOURS, GREY, figure
from schemas.labels import sort_emotions
from schemas.messages.counts import format_count

MOST_NAMED = 12
"""Speakers, and sentences, up to which the page names the colour of each."""

WRITTEN_BELOW: tuple[Kind, ...] = ("speaker", "sentence")
"""Groups whose names are a stranger's words, in any script: they are written by the page, not in pictures."""


def draw_map(points: MapPoints, grouping: Grouping) -> Picture:
    """PCA and t-SNE side by side, one dot per clip.

    There is a legend, except for :data:`WRITTEN_BELOW`.
    """
    colours = colours_of(grouping)
    each = [colours[label] for label in grouping.labels]
    with figure(4.6) as drawn:
        left, right = drawn.subplots(1, 2)
        order = _mixed_order(points.clip_ids)
        _scatter(left, points.pca, each, order)
        _scatter(right, points.tsne, each, order)
        first, second = (f"{100 * share:.1f} % of the variance" for share in points.explained)
        left.set(title="PCA", xlabel=f"component 1, {first}", ylabel=f"component 2, {second}")
        right.set(title="t-SNE", xticks=[], yticks=[], xlabel="distances between clusters mean nothing")
        if grouping.kind not in WRITTEN_BELOW:
            legend = _legend(grouping, colours)
            drawn.legend(
                handles=legend, loc="outside upper center", ncols=min(len(legend), 9), handletextpad=0.1
            )
        return png_picture(drawn, f"Maps of the clips by PCA and t-SNE, coloured by {grouping.kind}")


def colours_of(grouping: Grouping) -> Mapping[str, str]:
    """Label → colour as ``#rrggbb``. The largest corpora have a colour each, all others share grey."""
    match grouping.kind:
        case "emotion":
            others = [name for name in sort_emotions(grouping.groups) if name not in EMOTION_COLOURS]
            return EMOTION_COLOURS | dict(zip(others, spread_hues(len(others)), strict=True))
        case "gender":
            return GENDER_COLOURS
        case "speaker" | "sentence":
            hues = dict(zip(grouping.groups, spread_hues(len(grouping.groups)), strict=True))
            return hues | ({NOT_KNOWN["sentence"]: GREY} if "" in grouping.labels else {})
        case "corpus":
            ranked = sorted(grouping.groups, key=lambda name: (-grouping.labels.count(name), name))
            own = dict(zip(sorted(ranked[: len(CORPUS_COLOURS)]), CORPUS_COLOURS, strict=False))
            return {name: own.get(name, GREY) for name in grouping.groups}


def spread_hues(count: int) -> list[str]:
    """Colours whose hues are equally far apart, in two lightnesses in turn, as ``#rrggbb``.

    They lie on circles in OKLab, where distances are those that people see (Ottosson 2020,
    https://bottosson.github.io/posts/oklab); what sRGB cannot show is clipped.
    """
    colours = []
    for index in range(count):
        angle = 2 * math.pi * (index / count + 0.08)
        lightness, chroma = (0.55, 0.15) if index % 2 else (0.75, 0.13)
        colours.append(_srgb(lightness, chroma * math.cos(angle), chroma * math.sin(angle)))
    return colours


def _srgb(lightness: float, a: float, b: float) -> str:
    """A colour of OKLab as ``#rrggbb``, with the matrices of Ottosson's page."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _encode(min(1.0, max(0.0, value)))):02x}" for value in linear)


def _encode(linear: float) -> float:
    """The transfer function of sRGB (IEC 61966-2-1)."""
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def _scatter(axes: Axes, places: Doubles, colours: list[str], order: npt.NDArray[np.int64]) -> None:
    size = 18 if len(order) <= 500 else 11
    axes.scatter(
        places[order, 0],
        places[order, 1],
        s=size,
        c=[colours[index] for index in order],
        alpha=0.85,
        linewidths=0,
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)
    axes.margins(0.04)


def _mixed_order(clip_ids: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """An order in which no group is drawn on top of all others: that of the ids' hashes."""
    hashes = [hashlib.sha256(clip_id.encode()).digest() for clip_id in clip_ids]
    return np.array(sorted(range(len(hashes)), key=hashes.__getitem__), np.int64)


def _legend(grouping: Grouping, colours: Mapping[str, str]) -> list[Line2D]:
    named = [label for label in colours if label in set(grouping.labels)]
    entries = [(label, colours[label]) for label in named]
    if grouping.kind == "corpus" and GREY in colours.values():
        grey = sum(colours[label] == GREY for label in named)
        entries = [entry for entry in entries if entry[1] != GREY]
        entries.append((format_count(grey, "other corpus", "other corpora"), GREY))
    return [
        Line2D([], [], marker="o", linestyle="", markersize=6, color=colour, label=label)
        for label, colour in entries
    ]
