"""The encoders that a model reads, each as a graph of its own beside that of the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pipelines.encoders.compute import encode, summarise
from pipelines.encoders.encoder import Encoder
from pipelines.encoders.locate import locate_weights
from pipelines.encoders.weights import find_weights
from schemas.encoders import ENCODER_RATE, EncoderSpec
from schemas.errors import RunError
from schemas.known_encoders import KNOWN_ENCODERS
from schemas.telemetry import disable_telemetry
from training.export.check import BATCH_SIZES, TOLERANCE
from training.export.convert import to_onnx
from training.export.document import EncoderFile, ExportedFile, OnnxCheck, Tensor
from training.export.encoder_graph import EncoderGraph, limits
from training.predict.predictor import Predictor

_LENGTHS = 5
_EXAMPLE_S = 1.7


@dataclass(frozen=True)
class EncoderExport:
    """A graph as bytes, and what an engineer needs to know about it."""

    onnx: bytes
    record: EncoderFile


def export_encoders(
    predictor: Predictor, folders: Mapping[str, Path], model: Path
) -> dict[Path, EncoderExport]:
    """The graph of each encoder feature that a model reads, by the file beside ``model`` that it is for.

    ``folders`` : weights of encoders by name; others are found by their hash. Raises :class:`EncoderError` if
    weights are missing, :class:`RunError` if an encoder cannot be expressed in ONNX or its graph differs from
    it by more than :data:`training.export.check.TOLERANCE` of its largest value.
    """
    paths = encoder_paths(features_of_encoders(predictor), model)
    return {path: _export(predictor, feature, folders, path) for feature, path in paths}


def features_of_encoders(predictor: Predictor) -> list[EncoderSpec]:
    """The encoder features that a model reads."""
    return [feature for feature in predictor.spec.encoders if feature.name in predictor.record.features]


def encoder_paths(features: list[EncoderSpec], model: Path) -> list[tuple[EncoderSpec, Path]]:
    """Each feature, and the file of its graph beside ``model``: ``MODEL.NAME.onnx``."""
    return [(feature, model.with_suffix(f".{feature.name}.onnx")) for feature in features]


def _export(
    predictor: Predictor, feature: EncoderSpec, folders: Mapping[str, Path], path: Path
) -> EncoderExport:
    weights = find_weights(locate_weights(feature, folders))
    encoder = weights.load(feature.all_layers, torch.device("cpu"))
    fewest, most = limits(feature, predictor.window_s)
    onnx, difference = convert(feature, encoder, predictor.window_s)
    known = KNOWN_ENCODERS.get(feature.name)
    frames = "frames" if feature.pooling == "frames" else 1
    record = EncoderFile(
        feature=feature.name,
        file=ExportedFile(name=path.name, sha256=hashlib.sha256(onnx).hexdigest()),
        licence=None if known is None else known.licence,
        source=None if known is None else known.hub_id,
        specification=feature,
        samples=(fewest, most),
        input=Tensor(
            name="waveform",
            dtype="float32",
            shape=("batch", "samples"),
            meaning=f"{fewest} to {most} samples at {ENCODER_RATE} Hz; clips of a batch are equally long",
        ),
        output=Tensor(
            name="feature",
            dtype="float32",
            shape=("batch", feature.coefficients, frames),
            meaning="the feature, not rounded: for the model, round it as the store does",
        ),
        check=OnnxCheck(batch_sizes=BATCH_SIZES, tolerance=TOLERANCE, largest_difference=difference),
    )
    return EncoderExport(onnx, record)


def convert(feature: EncoderSpec, encoder: Encoder, longest_s: float) -> tuple[bytes, float]:
    """The graph of a feature for clips of up to ``longest_s`` seconds, and its difference from the encoder.

    Raises :class:`RunError` if it cannot be expressed in ONNX, and what :func:`require_same_states` raises.
    """
    if feature.precision != "float32":
        raise RunError(
            f"{feature.name} was computed in {feature.precision}, but exported graphs compute in float32; "
            f'train on a store whose recipe has precision = "float32"'
        )
    fewest, most = limits(feature, longest_s)
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("samples", min=fewest, max=most)}
    example = torch.zeros(2, min(most, round(_EXAMPLE_S * ENCODER_RATE)))
    graph = EncoderGraph(feature, encoder).eval()
    onnx = to_onnx(graph, {"waveform": example}, ["feature"], {"waveform": sizes})
    return onnx, require_same_states(onnx, feature, encoder, longest_s)


def require_same_states(onnx: bytes, feature: EncoderSpec, encoder: Encoder, longest_s: float) -> float:
    """Compare a graph with the encoder on noise of several lengths, up to ``longest_s`` seconds.

    Returns the largest difference, as a share of the largest value of a clip. Raises :class:`RunError` if it
    exceeds :data:`training.export.check.TOLERANCE`.
    """
    disable_telemetry()
    from onnxruntime import InferenceSession

    session = InferenceSession(onnx, providers=["CPUExecutionProvider"])
    draw = torch.Generator().manual_seed(0)
    largest = 0.0
    for index, samples in enumerate(np.linspace(*limits(feature, longest_s), _LENGTHS).astype(int).tolist()):
        clips = 0.1 * torch.randn(BATCH_SIZES[index % len(BATCH_SIZES)], samples, generator=draw)
        expected = compute(feature, encoder, clips)
        found = session.run(["feature"], {"waveform": clips.numpy()})[0][:, :, : expected.shape[2]]
        difference = (
            float(np.abs(found - expected).max() / np.abs(expected).max())
            if found.shape == expected.shape
            else np.nan
        )
        if not difference <= TOLERANCE:  # NaN too
            raise RunError(
                f"the exported graph of {feature.name} differs from the encoder by {difference:.1g} of its "
                f"largest value (allowed: {TOLERANCE:g}) and is not written; please report this"
            )
        largest = max(largest, difference)
    return largest


def compute(feature: EncoderSpec, encoder: Encoder, clips: torch.Tensor) -> np.ndarray:
    """The feature by torch, (clips, coefficients, frames) float32, of ``clips`` (clips, n) at 16 kHz."""
    hidden = encode(encoder, feature, clips, [clips.shape[1]] * len(clips))
    return summarise(feature, hidden).transpose(1, 2).numpy()
