"""Computes the encoder features of a specification from views."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F

from pipelines.batch import ViewBatch
from pipelines.encoders.pooling import average_frames, pool
from pipelines.encoders.weights import find_weights
from pipelines.resample import resample
from schemas.encoders import ENCODER_RATE, EncoderSpec
from schemas.errors import EncoderError
from schemas.spec import StoreSpec


class EncoderExtractor:
    """Computes one encoder feature of ``spec`` on ``device``; the weights are loaded once.

    ``folder`` : the weights. Raises :class:`EncoderError` if they are not those of the specification.
    """

    def __init__(self, spec: StoreSpec, feature: EncoderSpec, folder: Path, device: torch.device) -> None:
        weights = find_weights(folder)
        if weights.sha256 != feature.sha256 or weights.architecture != feature.architecture:
            raise EncoderError(
                f"the weights in {folder} are not those that {feature.name} was computed with (SHA-256 "
                f"{weights.sha256[:12]}… instead of {str(feature.sha256)[:12]}…); give their folder with "
                f"--encoder {feature.name}=FOLDER"
            )
        self._feature = feature
        self._rate = spec.audio.sample_rate
        self._coefficients, self._frames = spec.shapes[feature.name]
        self._encoder = weights.load(feature.all_layers, device)

    def __call__(self, view: ViewBatch) -> torch.Tensor:
        """The feature of each clip, (clip, frame, coefficient) float32; zeros after the end of a clip.

        Clips of the same length are computed together, and none is padded, so that its numbers depend on
        nothing else.
        """
        rows_by_length: dict[int, list[int]] = defaultdict(list)
        for row, samples in enumerate(view.lengths):
            rows_by_length[samples].append(row)
        out = view.waveforms.new_zeros(len(view.lengths), self._frames, self._coefficients)
        for samples, rows in rows_by_length.items():
            if samples:
                values = self._encode(view.waveforms[rows, :samples])
                out[rows, : values.shape[1]] = values
        return out

    def _encode(self, waveforms: torch.Tensor) -> torch.Tensor:
        feature = self._feature
        frames = feature.encoder_frames(waveforms.shape[1], self._rate)
        if self._rate != ENCODER_RATE:
            waveforms = resample(waveforms, ENCODER_RATE, self._rate)
        if feature.window != "clip":
            window = round(feature.window * ENCODER_RATE)
            waveforms = F.pad(waveforms, (0, max(0, window - waveforms.shape[1])))[:, :window]
        hidden = self._encoder.hidden_states(waveforms)[:, :, :frames]
        if feature.pooling == "frames":
            return average_frames(hidden, feature.stride)
        return pool(hidden, feature.statistics)


def encoder_extractors(
    spec: StoreSpec, folders: Mapping[str, Path], device: torch.device
) -> dict[str, EncoderExtractor]:
    """Extractor of each encoder feature of ``spec`` by its name. ``folders`` : name → its weights.

    Raises :class:`EncoderError` if weights are missing or others.
    """
    out = {}
    for feature in spec.encoders:
        if feature.name not in folders:
            raise EncoderError(
                f"the weights of the encoder {feature.name} are not on this machine; give their folder with "
                f"--encoder {feature.name}=FOLDER"
            )
        out[feature.name] = EncoderExtractor(spec, feature, folders[feature.name], device)
    return out
