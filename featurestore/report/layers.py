"""The layers of an encoder: the norms of their states, and how similar the layers are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from featurestore.report.blocks import Doubles
from featurestore.report.vectors import LayerStates

TILE_BYTES = 32 * 2**20
"""Bytes of the rows of all layers' Gram matrices that exist at a time."""


@dataclass(frozen=True)
class LayerProfile:
    """What the stored layers of an encoder's feature are like.

    A clip's vector in a layer is the mean of its states over its frames. ``norm_mean``, ``norm_std``:
    (layer,), mean and standard deviation (population) over clips of its Euclidean norm, in the network's own
    unit; NaN without clips. ``similarity``: (layer, layer), linear CKA; NaN for a layer that is the same for
    all clips. ``clips``: number of clips used, of ``usable`` ones. ``width``: values of a state.
    """

    feature: str
    layers: tuple[int, ...]
    width: int
    clips: int
    usable: int
    norm_mean: Doubles
    norm_std: Doubles
    similarity: Doubles


def profile_layers(states: LayerStates) -> LayerProfile:
    """Compute the norms and similarities of the layers."""
    clips, count, width = states.means.shape
    norms = np.full((clips, count), np.nan)
    for layer in range(count):
        norms[:, layer] = np.linalg.norm(states.means[:, layer].astype(np.float64), axis=1)
    with threadpool_limits(1, user_api="blas"):  # sums have one order, whatever the number of cores
        similarity = linear_cka(states.means)
    return LayerProfile(
        feature=states.feature,
        layers=states.layers,
        width=width,
        clips=clips,
        usable=states.sample.usable,
        norm_mean=norms.mean(axis=0) if clips else np.full(count, np.nan),
        norm_std=norms.std(axis=0) if clips else np.full(count, np.nan),
        similarity=similarity,
    )


def linear_cka(values: npt.NDArray[np.floating]) -> Doubles:
    """Linear centred kernel alignment of all pairs of layers, (layer, layer), from (clip, layer, width).

    Kornblith et al., "Similarity of Neural Network Representations Revisited", ICML 2019, eq. 3 and 4:
    ⟨K, L⟩ / √(⟨K, K⟩ ⟨L, L⟩), with the Gram matrices K and L of clips centred on their mean. This is
    ‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖) in the Frobenius norm. It is 1 if one layer is a rotated and scaled copy of the
    other. The Gram matrices are never whole: a few rows of all layers exist at a time.

    NaN for layers that are the same for all clips.
    """
    clips, count, _ = values.shape
    centred = np.empty((count, clips, values.shape[2]), np.float32)
    constant = np.ones(count, np.bool_)
    for layer in range(count):
        states = values[:, layer].astype(np.float64)
        size = float(np.abs(states).max(initial=0.0))
        states -= states.mean(axis=0) if clips else 0.0
        spread = float(np.sqrt(np.mean(states**2))) if states.size else 0.0
        constant[layer] = spread <= 1e-7 * size
        # Scaled to unit size, so that products neither vanish nor overflow in float32.
        centred[layer] = states / (spread or 1.0)
    step = max(1, TILE_BYTES // (4 * max(1, count * clips)))
    products = np.zeros((count, count))
    for start in range(0, clips, step):
        rows = np.matmul(centred[:, start : start + step], centred.transpose(0, 2, 1))
        flat = rows.reshape(count, -1).astype(np.float64)
        products += flat @ flat.T
    own = np.where(constant, np.nan, np.sqrt(np.diag(products)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.clip(products / np.outer(own, own), 0.0, 1.0), np.float64)
