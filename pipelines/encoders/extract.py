"""Computes the encoder features of a specification from views."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from pipelines.batch import ViewBatch
from pipelines.encoders.batches import MOST_FRAMES, equal_lengths, is_within, padded_lengths, send
from pipelines.encoders.compute import HiddenStates, encode, summarise
from pipelines.encoders.weights import EncoderWeights, find_weights
from pipelines.resample import resample
from schemas.encoders import ENCODER_RATE, EncoderSpec
from schemas.errors import EncoderError
from schemas.spec import StoreSpec


class EncoderExtractor:
    """Computes encoder features of ``spec`` that share one forward pass, on ``device``.

    ``features`` : with the same weights, architecture, window and precision; the network is loaded once, up
    to the highest layer of them all.
    ``most_frames`` : most frames of a batch of clips of different lengths, if the encoder can mask them; 0:
    clips are computed together only if they have the same length, and none is padded.
    """

    def __init__(
        self,
        spec: StoreSpec,
        features: Sequence[EncoderSpec],
        weights: EncoderWeights,
        device: torch.device,
        most_frames: int = 0,
    ) -> None:
        states = tuple(sorted({layer for feature in features for layer in feature.all_layers}))
        self._features = tuple(features)
        self._rate = spec.audio.sample_rate
        self._shapes = {feature.name: spec.shapes[feature.name] for feature in features}
        self._rows = {
            feature.name: torch.tensor([states.index(layer) for layer in feature.all_layers], device=device)
            for feature in features
        }
        self._encoder = weights.load(states, device)
        can_pad = self._encoder.masks or features[0].window != "clip"
        self._most_frames = most_frames if can_pad else 0

    def __call__(self, view: ViewBatch) -> dict[str, torch.Tensor]:
        """Feature → its numbers for each clip, (clip, frame, coefficient) float32; zeros after a clip's end.

        A clip's numbers do not depend on its neighbours: not at all without ``most_frames``, and with them
        only in their rounding.
        """
        out = {
            name: view.waveforms.new_zeros(len(view.lengths), frames, coefficients)
            for name, (coefficients, frames) in self._shapes.items()
        }
        for rows in self.batches(view.lengths):
            index = send(rows, view.waveforms.device)
            hidden = self._encode(view.waveforms.index_select(0, index), [view.lengths[row] for row in rows])
            for feature in self._features:
                own = HiddenStates(hidden.values.index_select(1, self._rows[feature.name]), hidden.frames)
                values = summarise(feature, own)
                out[feature.name][:, : values.shape[1]].index_copy_(0, index, values)
        return out

    def batches(self, lengths: Sequence[int]) -> list[list[int]]:
        """Rows of clips that are computed together. ``lengths`` : samples of each clip; 0 for no clip."""
        if not self._most_frames:
            return equal_lengths(lengths)
        shared = self._features[0]
        window = 0 if shared.window == "clip" else round(shared.window * self._rate)
        return padded_lengths(
            [samples and shared.encoder_frames(window or samples, self._rate) for samples in lengths],
            self._most_frames,
        )

    def _encode(self, waveforms: torch.Tensor, lengths: Sequence[int]) -> HiddenStates:
        """Hidden states of (clip, samples) at the store's rate, which are zero after ``lengths`` samples."""
        waveforms = waveforms[:, : max(lengths)]
        if self._rate != ENCODER_RATE:
            waveforms = resample(waveforms, ENCODER_RATE, self._rate)
            lengths = [-(-samples * ENCODER_RATE // self._rate) for samples in lengths]
            if len(set(lengths)) > 1:  # without the filter's ringing after the end, as a clip alone
                waveforms = waveforms * is_within(send(lengths, waveforms.device), waveforms.shape[1])
        return encode(self._encoder, self._features[0], waveforms, lengths)


def encoder_extractors(
    spec: StoreSpec, folders: Mapping[str, Path], device: torch.device
) -> tuple[EncoderExtractor, ...]:
    """Extractors of the encoder features of ``spec``: one for all with the same network and window.

    On a CPU, clips of the same length share a batch, which is faster there and keeps their bytes. On other
    devices, all clips do that fit in :data:`pipelines.encoders.batches.MOST_FRAMES`.
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
    most_frames = 0 if device.type == "cpu" else MOST_FRAMES
    return tuple(
        EncoderExtractor(spec, group, found[folders[group[0].name]], device, most_frames)
        for group in groups.values()
    )


def _require_own(weights: EncoderWeights, feature: EncoderSpec) -> None:
    if weights.sha256 != feature.sha256 or weights.architecture != feature.architecture:
        raise EncoderError(
            f"the weights in {weights.folder} are not those that {feature.name} was computed with (SHA-256 "
            f"{weights.sha256[:12]}… instead of {str(feature.sha256)[:12]}…); give their folder with "
            f"--encoder {feature.name}=FOLDER"
        )
