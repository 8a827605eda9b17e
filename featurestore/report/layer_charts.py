"""Pictures of an encoder's layers: the norms of their states, and the similarity of all pairs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from featurestore.page.picture import Picture, png_picture
from featurestore.report.layers import LayerProfile
from featurestore.report.spectrograms import colour_map
from featurestore.report.theme import BLUE, figure, frame

_MOST_WRITTEN = 8
"""Layers up to which the values of the matrix are written into its cells."""


def draw_layers(profile: LayerProfile) -> Picture:
    """Mean norm of each layer with its standard deviation, beside the matrix of linear CKA."""
    with figure(3.9) as drawn:
        norms, similarity = drawn.subplots(1, 2, width_ratios=(1.1, 1))
        _draw_norms(norms, profile)
        _draw_similarity(drawn, similarity, profile)
        return png_picture(
            drawn,
            f"Norms of the states of {profile.feature} by layer, and the similarity of all pairs of layers",
        )


def _draw_norms(axes: Axes, profile: LayerProfile) -> None:
    axes.errorbar(
        profile.layers, profile.norm_mean, profile.norm_std, color=BLUE, marker="o", markersize=5,
        linewidth=1.6, elinewidth=1.2, capsize=4,
    )  # fmt: skip
    axes.set(title="norm of a clip's mean state", xlabel="layer", ylabel="Euclidean norm")
    axes.set_xticks(_ticks(profile.layers))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")


def _draw_similarity(drawn: Figure, axes: Axes, profile: LayerProfile) -> None:
    image = axes.imshow(
        profile.similarity, cmap=colour_map("viridis"), vmin=0, vmax=1, interpolation="nearest"
    )
    shown = _ticks(profile.layers)
    positions = [profile.layers.index(layer) for layer in shown]
    axes.set_xticks(positions, [str(layer) for layer in shown])
    axes.set_yticks(positions, [str(layer) for layer in shown])
    axes.set(title="similarity of layers", xlabel="layer", ylabel="layer")
    if len(profile.layers) <= _MOST_WRITTEN:
        for (row, column), value in np.ndenumerate(profile.similarity):
            if np.isfinite(value):
                colour = "#1b1f24" if value > 0.55 else "white"
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
    frame(axes)
    drawn.colorbar(image, ax=axes, label="linear CKA", pad=0.02)


def _ticks(layers: tuple[int, ...]) -> tuple[int, ...]:
    """Layers with a label, at most 13."""
    return layers[:: -(-len(layers) // 13)]
