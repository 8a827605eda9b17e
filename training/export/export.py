"""Export a run's model to ``MODEL.onnx``, with ``MODEL.json`` and the test vector ``MODEL.npz``.

::

    run ──────▶ graph ─▶ ONNX bytes ─▶ onnxruntime against torch ─▶ MODEL.onnx  MODEL.npz  MODEL.json
    encoder ──▶ graph ─▶ ONNX bytes ─▶ onnxruntime against torch ─▶ MODEL.NAME.onnx

The graph of a pretrained encoder is a file of its own, which several models can share.
Nothing is written before the check has passed.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from featurestore.format.outside import require_outside
from featurestore.places.durable import storage_errors, write_together
from pipelines.resample import resample
from schemas.encoders import ENCODER_RATE
from schemas.errors import RunError, UsageError
from schemas.names import is_utf8
from schemas.telemetry import disable_telemetry
from training.export.check import BATCH_SIZES, TOLERANCE, outputs_of, require_same
from training.export.convert import OPSET, to_onnx
from training.export.document import (
    EmotionOf,
    EncoderFile,
    ExportDocument,
    ExportedFile,
    OnnxCheck,
    Origin,
    Result,
    Tensor,
    TestVector,
    emotions_of,
    rows_of,
    steps_of,
)
from training.export.encoders import encoder_paths, export_encoders, features_of_encoders
from training.export.graph import Graph, ValueGraph, graph_of
from training.export.vector import Chirp
from training.predict.predictor import Predictor
from training.predict.scorer import require_independent_clips
from training.predict.worth import Worth
from training.runs.run import RunFolder, RunRecord, library_versions

_LIBRARIES = ("onnx", "onnxruntime", "onnxscript")


@dataclass(frozen=True)
class Exported:
    """The files written: graph, document, test vector, and the graphs of encoders."""

    onnx: Path
    json: Path
    npz: Path
    encoders: tuple[Path, ...]
    document: ExportDocument


def export_run(
    run: Path, onnx: Path, *, force: bool = False, encoders: Mapping[str, Path] | None = None
) -> Exported:
    """Export the best epoch's model of the run at ``run`` as ``onnx``, checked, with its other files.

    ``force``: replace existing files. ``encoders`` : folders of the weights of encoders by name; others are
    found by their hash.

    Raises :class:`UsageError` for a suffix other than ``.onnx``, an existing file, and a place inside a
    feature store; :class:`RunError` if packages are missing, the run is not finished, the model needs other
    clips of the speaker or cannot be expressed in ONNX, or the graph differs from the model by more than
    :data:`training.export.check.TOLERANCE`; :class:`StorageError` if the files cannot be written.
    """
    disable_telemetry()  # before anything imports onnxruntime
    paths = _output_paths(onnx, force=force)
    _require_libraries()
    folder = RunFolder.open(run)
    record = folder.record()
    require_independent_clips(folder, record)  # before any weights are looked for
    _require_own_features(folder, record)
    predictor = Predictor.open(run, "cpu", encoders)
    beside = encoder_paths(features_of_encoders(predictor), onnx)
    _require_free([path for _, path in beside], force=force)
    graph = onnx_bytes(graph_of(run, predictor.spec), *_size(predictor))
    largest = require_same(graph, predictor)
    read = export_encoders(predictor, encoders or {}, onnx)
    sound = Chirp.of(predictor.spec)
    vector = _vector(predictor, sound)
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **vector)
    document = _document(
        predictor,
        Worth.of(run),
        tuple(each.record for each in read.values()),
        ExportedFile(name=paths[0].name, sha256=hashlib.sha256(graph).hexdigest()),
        OnnxCheck(batch_sizes=BATCH_SIZES, tolerance=TOLERANCE, largest_difference=largest),
        TestVector(
            sound=sound,
            valid_frames=int(vector["valid_frames"][0]),
            probabilities=_first(vector, "probabilities"),
            emotions=_first(vector, "emotions"),
            values=_first(vector, "values"),
            file=ExportedFile(name=paths[1].name, sha256=hashlib.sha256(packed.getvalue()).hexdigest()),
        ),
    )
    text = document.model_dump_json(indent=1) + "\n"
    with storage_errors(onnx.parent):
        graphs = {path: each.onnx for path, each in read.items()}
        write_together(graphs | dict(zip(paths, (graph, packed.getvalue(), text.encode()), strict=True)))
    return Exported(paths[0], paths[2], paths[1], tuple(read), document)


def _first(vector: Mapping[str, NDArray[Any]], name: str) -> tuple[float, ...]:
    """An output for the test sound; empty if the graph has none of that name."""
    return tuple(map(float, vector[name][0])) if name in vector else ()


def onnx_bytes(graph: Graph | ValueGraph, coefficients: int, frames: int) -> bytes:
    """``graph`` as ONNX for any number of clips of (coefficients, frames). Raises :class:`RunError`."""
    batch = torch.export.Dim("batch")
    return to_onnx(
        graph,
        {"features": torch.zeros(2, coefficients, frames), "valid_frames": torch.tensor([frames, 1])},
        ["values"] if isinstance(graph, ValueGraph) else ["probabilities", "emotions"],
        {"features": {0: batch}, "valid_frames": {0: batch}},
    )


def _output_paths(onnx: Path, *, force: bool) -> tuple[Path, Path, Path]:
    if onnx.suffix.lower() != ".onnx":
        raise UsageError(f"{onnx} does not end in .onnx; give a name such as model.onnx")
    if not is_utf8(onnx.name):
        raise UsageError(f"{onnx} is not a UTF-8 name, as {onnx.stem}.json needs; give another name")
    paths = (onnx, onnx.with_suffix(".npz"), onnx.with_suffix(".json"))
    _require_free(paths, force=force)
    return paths


def _require_free(paths: Sequence[Path], *, force: bool) -> None:
    for path in paths:
        require_outside(path, "")
        if path.exists() and not force:
            raise UsageError(f"{path} already exists; give another name, or --force to replace it")


def _require_own_features(folder: RunFolder, record: RunRecord) -> None:
    """Raise :class:`RunError` if others than this project's code compute the features from a recording."""
    for feature in record.store_spec.opensmile:
        if feature.name in record.features:
            raise RunError(
                f"{folder.path} was trained on {feature.name}, which openSMILE computes and an exported file "
                f"cannot describe; predict with ser-predict, or train on other features"
            )


def _require_libraries() -> None:
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise RunError(
            f"export needs {', '.join(_LIBRARIES)}, but {missing[0]} is not installed; install "
            "ser-features[onnx]"
        )


def _size(predictor: Predictor) -> tuple[int, int]:
    rows = predictor.spec.coefficients
    features = predictor.record.features
    return sum(rows[name] for name in features), predictor.spec.common_frames(features)


def _vector(predictor: Predictor, sound: Chirp) -> dict[str, NDArray[Any]]:
    """The sound at every step: ``samples`` (n,), and the graph's inputs and outputs for a batch of one."""
    samples = sound.waveform
    features, valid = predictor.inputs([samples])
    outputs = outputs_of(predictor, features, valid)
    heard = {"waveform": _at_encoder_rate(samples, predictor)} if features_of_encoders(predictor) else {}
    return heard | {
        "samples": samples,
        "features": features.astype(np.float32),
        "valid_frames": valid,
        **{name: found.astype(np.float32) for name, found in outputs.items()},
    }


def _at_encoder_rate(samples: NDArray[np.float32], predictor: Predictor) -> NDArray[np.float32]:
    """Input of the encoders' graphs: (1, n) float32 at 16 kHz."""
    waveform = torch.from_numpy(samples)[None]
    rate = predictor.spec.audio.sample_rate
    heard = waveform if rate == ENCODER_RATE else resample(waveform, ENCODER_RATE, rate)
    return heard.numpy()


def _document(
    predictor: Predictor,
    worth: Worth | None,
    encoders: tuple[EncoderFile, ...],
    onnx: ExportedFile,
    check: OnnxCheck,
    vector: TestVector,
) -> ExportDocument:
    record, spec = predictor.record, predictor.spec
    labels = record.recipe.labels
    emotions: tuple[EmotionOf, ...] = ()
    if not record.dimensions:
        emotions = emotions_of(labels.label_set(), labels.target)
    coefficients, frames = _size(predictor)
    interval = None if worth is None or worth.low is None or worth.high is None else (worth.low, worth.high)
    return ExportDocument(
        onnx=onnx,
        opset=OPSET,
        inputs=(
            Tensor(
                name="features",
                dtype="float32",
                shape=("batch", coefficients, frames),
                meaning="features as below, not normalised: the graph does that",
            ),
            Tensor(
                name="valid_frames",
                dtype="int64",
                shape=("batch",),
                meaning="frames that hold sound, 1 to frames; later frames are ignored",
            ),
        ),
        outputs=_outputs(record, len(emotions)),
        classes=record.classes,
        emotions=emotions,
        dimensions=predictor.dimensions,
        audio=spec.audio,
        length=spec.length,
        steps=steps_of(spec, record.features),
        spectral=spec.spectral,
        frames=frames,
        stored_as=spec.storage.dtype,
        features=rows_of(spec, record.features),
        encoders=encoders,
        result=Result(
            protocol=None if worth is None else worth.claim.title,
            ua=None if worth is None else worth.ua,
            ccc=None if worth is None else worth.ccc,
            interval=interval,
            level=None if worth is None else worth.level,
            warning=None if worth is None else worth.warning,
        ),
        trained=Origin(
            recipe=record.recipe.name,
            model=record.recipe.model.name,
            created=record.created,
            seed=record.seed,
            store_digest=record.store_digest,
            versions=record.versions,
        ),
        exported_with=library_versions() | {name: metadata.version(name) for name in _LIBRARIES},
        check=check,
        test_vector=vector,
    )


def _outputs(record: RunRecord, emotions: int) -> tuple[Tensor, ...]:
    if record.dimensions:
        return (
            Tensor(
                name="values",
                dtype="float32",
                shape=("batch", len(record.outputs)),
                meaning="value of each of dimensions, in the units of the labels",
            ),
        )
    return (
        Tensor(
            name="probabilities",
            dtype="float32",
            shape=("batch", len(record.classes)),
            meaning="probability of each of classes",
        ),
        Tensor(
            name="emotions",
            dtype="float32",
            shape=("batch", emotions),
            meaning="probability of each of emotions: the sum over its classes",
        ),
    )
