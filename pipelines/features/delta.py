"""Local derivatives of a feature in time."""

from __future__ import annotations

import numpy as np
import torch


class Slope:
    """Savitzky–Golay derivative of order 1 (delta) or 2 (delta-delta) over ``width`` frames.

    The ``order``-th derivative of a polynomial of degree ``order`` that is fitted to the frames around each
    frame (Savitzky & Golay 1964). The first and last ⌊width/2⌋ frames use the fit to the outermost ``width``
    frames, as in ``librosa.feature.delta``. Delta-delta is not the delta of the delta.
    """

    def __init__(self, width: int, order: int, device: torch.device) -> None:
        import scipy.signal  # the import takes half a second

        # The filter is linear: applied to an identity matrix, it gives its weights, including those at the
        # edges.
        weights = scipy.signal.savgol_filter(
            np.eye(2 * width), width, polyorder=order, deriv=order, axis=0, mode="interp"
        )
        half = width // 2
        self._width = width
        self._inner = [float(weight) for weight in weights[half, :width]]
        self._first = torch.from_numpy(weights[:half, :width].astype(np.float32)).to(device)
        self._last = torch.from_numpy(weights[-half:, -width:].astype(np.float32)).to(device)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Change per frame (per frame²) of (waveform, frame, coefficient) float32; the result has the same
        shape.
        """
        inner = values.shape[1] - self._width + 1
        slope = torch.zeros_like(values[:, :inner])
        for offset, weight in enumerate(self._inner):
            if weight:
                slope.add_(values[:, offset : offset + inner], alpha=weight)
        first = _each(self._first, values[:, : self._width])
        last = _each(self._last, values[:, -self._width :])
        return torch.cat([first, slope, last], dim=1)


def _each(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """``weights`` @ each of ``values``; on a CPU one by one, as their number affects the last bits."""
    if values.device.type != "cpu":
        return weights @ values
    return torch.stack([weights @ part for part in values])
