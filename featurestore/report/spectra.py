"""The mean mel spectrogram of each emotion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurestore.progress import Progress
from featurestore.report.blocks import CorpusRows, Doubles, Floats, pieces, sum_blocks
from featurestore.report.recorded import require_recorded
from featurestore.store import FeatureStore


@dataclass(frozen=True)
class MeanSpectra:
    """Means over the originals of all usable clips in dB re 1.0, without padding.

    ``clips``: (emotion, frame) int64, clips in which this frame is valid. ``spectrogram``: (emotion, band,
    frame), mean over these clips; NaN if there are none. ``frames``: (emotion,) int64, valid frames of all
    clips. ``spectrum``: (emotion, band), mean over these frames; NaN if there are none.
    """

    emotions: tuple[str, ...]
    clips: npt.NDArray[np.int64]
    spectrogram: Doubles
    frames: npt.NDArray[np.int64]
    spectrum: Doubles

    @property
    def contrast(self) -> Doubles:
        """(emotion, band) dB: mean spectrum of an emotion minus the mean over emotions."""
        heard = self.frames > 0
        out = np.full(self.spectrum.shape, np.nan)
        if heard.any():
            out[heard] = self.spectrum[heard] - self.spectrum[heard].mean(axis=0)
        return out


def compute_mean_spectra(
    store: FeatureStore, emotions: tuple[str, ...], rows: dict[str, CorpusRows], progress: Progress
) -> MeanSpectra | None:
    """Compute the mean mel spectrogram of each emotion; None for a store without mel.

    Raises what :func:`featurestore.report.blocks.sum_blocks` raises, and :class:`StoreDamagedError` if the
    mean over all frames differs from ``statistics.parquet``.
    """
    if "mel" not in store.spec.coefficients:
        return None
    frames = store.spec.frames

    def block_sum(values: Floats, lengths: npt.NDArray[np.int64], classes: npt.NDArray[np.int64]) -> Doubles:
        return emotion_sums(values, lengths, classes, len(emotions))

    sums = sum_blocks(store, "mel", rows, block_sum, progress)
    lengths = np.concatenate([of.lengths for of in rows.values()] or [np.empty(0, np.int64)])
    classes = np.concatenate([of.classes for of in rows.values()] or [np.empty(0, np.int64)])
    clips = np.zeros((len(emotions), frames), np.int64)
    for emotion in range(len(emotions)):
        ends = np.bincount(lengths[classes == emotion], minlength=frames + 1)
        clips[emotion] = ends[::-1].cumsum()[::-1][1:]  # frame t is valid in clips of more than t frames
    total = clips.sum(axis=1)
    require_recorded(store, "mel", int(total.sum()), sums.sum(axis=(0, 2)) / max(1, int(total.sum())))
    with np.errstate(invalid="ignore", divide="ignore"):
        return MeanSpectra(
            emotions, clips, sums / clips[:, np.newaxis], total, sums.sum(axis=2) / total[:, np.newaxis]
        )


def emotion_sums(
    values: Floats, lengths: npt.NDArray[np.int64], classes: npt.NDArray[np.int64], emotions: int
) -> Doubles:
    """(emotion, band, frame) float64: sums over the clips in which the frame is valid.

    ``values``: (n, band, frame) as stored. ``lengths``: (n,) valid frames. ``classes``: (n,), −1 for no clip.
    The sums are the product of the (emotion, n) membership matrix with the clips as rows.
    """
    _, bands, frames = values.shape
    total = np.zeros((emotions, bands * frames))
    valid = np.arange(frames) < lengths[:, np.newaxis]
    members = (np.arange(emotions)[:, np.newaxis] == classes).astype(np.float64)
    for part in pieces(values):
        heard = np.where(valid[part, np.newaxis], values[part], values.dtype.type(0))
        total += members[:, part] @ heard.reshape(len(heard), -1).astype(np.float64)
    return total.reshape(emotions, bands, frames)
