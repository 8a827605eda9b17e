"""Computes the encoder features of a specification from views."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F

from pipelines.batch import ViewBatch
from pipelines.encoders.pooling import average_frames, pool
from pipelines.encoders.weights import EncoderWeights, find_weights
from pipelines.resample import resample
from schemas.encoders import ENCODER_RATE, EncoderSpec
from schemas.errors import EncoderError
from schemas.spec import StoreSpec


class EncoderExtractor:
    """Computes encoder features of ``spec`` that share one forward pass, on ``device``.

    ``features`` : with the same weights, architecture, window and precision; the network is loaded once, up
    to the highest layer of them all.
    """

    def __init__(
        self, spec: StoreSpec, features: Sequence[EncoderSpec], weights: EncoderWeights, device: torch.device
    ) -> None:
        states = tuple(sorted({layer for feature in features for layer in feature.all_layers}))
        self._features = tuple(features)
        self._rate = spec.audio.sample_rate
        self._shapes = {feature.name: spec.shapes[feature.name] for feature in features}
        self._rows = {
            feature.name: [states.index(layer) for layer in feature.all_layers] for feature in features
        }
        self._encoder = weights.load(states, device)

    def __call__(self, view: ViewBatch) -> dict[str, torch.Tensor]:
        """Feature → its numbers for each clip, (clip, frame, coefficient) float32; zeros after a clip's end.

        Clips of the same length are computed together, and none is padded, so that its numbers depend on
        nothing else.
        """
        rows_by_length: dict[int, list[int]] = defaultdict(list)
        for row, samples in enumerate(view.lengths):
            rows_by_length[samples].append(row)
        out = {
            name: view.waveforms.new_zeros(len(view.lengths), frames, coefficients)
            for name, (coefficients, frames) in self._shapes.items()
        }
        for samples, rows in rows_by_length.items():
            if samples:
                hidden = self._encode(view.waveforms[rows, :samples])
                for feature in self._features:
                    values = self._summarise(feature, hidden)
                    out[feature.name][rows, : values.shape[1]] = values
        return out

    def _encode(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Hidden states of the real frames, (clip, state, frame, width), of (clip, samples)."""
        shared = self._features[0]
        frames = shared.encoder_frames(waveforms.shape[1], self._rate)
        if self._rate != ENCODER_RATE:
            waveforms = resample(waveforms, ENCODER_RATE, self._rate)
        if shared.window != "clip":
            window = round(shared.window * ENCODER_RATE)
            waveforms = F.pad(waveforms, (0, max(0, window - waveforms.shape[1])))[:, :window]
        half = shared.precision == "bfloat16"
        with torch.autocast(waveforms.device.type, torch.bfloat16, enabled=half):
            return self._encoder.hidden_states(waveforms)[:, :, :frames].float()

    def _summarise(self, feature: EncoderSpec, hidden: torch.Tensor) -> torch.Tensor:
        own = hidden[:, self._rows[feature.name]]
        if feature.pooling == "frames":
            return average_frames(own, feature.stride)
        return pool(own, feature.statistics)


def encoder_extractors(
    spec: StoreSpec, folders: Mapping[str, Path], device: torch.device
) -> tuple[EncoderExtractor, ...]:
    """Extractors of the encoder features of ``spec``: one for all with the same network and window.

    ``folders`` : name of a feature → its weights. Raises :class:`EncoderError` if weights are missing or are
    not those of the specification.
    """
    found: dict[Path, EncoderWeights] = {}
    groups: dict[tuple[object, ...], list[EncoderSpec]] = defaultdict(list)
    for feature in spec.encoders:
        if feature.name not in folders:
            raise EncoderError(
                f"the weights of the encoder {feature.name} are not on this machine; give their folder with "
                f"--encoder {feature.name}=FOLDER"
            )
        folder = folders[feature.name]
        if folder not in found:
            found[folder] = find_weights(folder)
        _require_own(found[folder], feature)
        groups[feature.sha256, feature.architecture, feature.window, feature.precision].append(feature)
    return tuple(
        EncoderExtractor(spec, group, found[folders[group[0].name]], device) for group in groups.values()
    )


def _require_own(weights: EncoderWeights, feature: EncoderSpec) -> None:
    if weights.sha256 != feature.sha256 or weights.architecture != feature.architecture:
        raise EncoderError(
            f"the weights in {weights.folder} are not those that {feature.name} was computed with (SHA-256 "
            f"{weights.sha256[:12]}… instead of {str(feature.sha256)[:12]}…); give their folder with "
            f"--encoder {feature.name}=FOLDER"
        )
