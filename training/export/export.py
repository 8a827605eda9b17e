"""Export a run's model to ``MODEL.onnx``, with ``MODEL.json`` and the test vector ``MODEL.npz``.

::

    run ─▶ graph ─▶ ONNX bytes ─▶ onnxruntime against torch ─▶ MODEL.onnx  MODEL.npz  MODEL.json

Nothing is written before the check has passed.
"""

from __future__ import annotations

import hashlib
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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
from schemas.errors import RunError, UsageError
from schemas.labels import label_set
from schemas.names import is_utf8
from schemas.telemetry import disable_telemetry
from training.export.check import BATCH_SIZES, TOLERANCE, require_same
from training.export.document import (
    EmotionOf,
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
from training.export.graph import Graph, graph_of
from training.export.vector import Chirp
from training.predict.predictor import Predictor
from training.predict.worth import Worth
from training.runs.run import RunFolder, library_versions

_LIBRARIES = ("onnx", "onnxruntime", "onnxscript")
_OPSET = 20
"""The newest opset that torch's exporter writes without conversion; onnxruntime 1.17 or newer reads it."""


@dataclass(frozen=True)
class Exported:
    """The files written: graph, document and test vector."""

    onnx: Path
    json: Path
    npz: Path
    document: ExportDocument


def export_run(run: Path, onnx: Path, *, force: bool = False) -> Exported:
    """Export the best epoch's model of the run at ``run`` as ``onnx``, checked, with its two other files.

    ``force``: replace existing files.

    Raises :class:`UsageError` for a suffix other than ``.onnx``, an existing file, and a place inside a
    feature store; :class:`RunError` if packages are missing, the run is not finished, the model needs other
    clips of the speaker or cannot be expressed in ONNX, or the graph differs from the model by more than
    :data:`training.export.check.TOLERANCE`; :class:`StorageError` if the files cannot be written.
    """
    disable_telemetry()  # before anything imports onnxruntime
    paths = _output_paths(onnx, force=force)
    _require_libraries()
    _require_no_encoder(run)
    predictor = Predictor.open(run, "cpu")
    graph = onnx_bytes(graph_of(run), *_size(predictor))
    largest = require_same(graph, predictor)
    sound = Chirp.of(predictor.spec)
    vector = _vector(predictor, sound)
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **vector)
    document = _document(
        predictor,
        Worth.of(run),
        ExportedFile(name=paths[0].name, sha256=hashlib.sha256(graph).hexdigest()),
        OnnxCheck(batch_sizes=BATCH_SIZES, tolerance=TOLERANCE, largest_difference=largest),
        TestVector(
            sound=sound,
            valid_frames=int(vector["valid_frames"][0]),
            probabilities=tuple(map(float, vector["probabilities"][0])),
            emotions=tuple(map(float, vector["emotions"][0])),
            file=ExportedFile(name=paths[1].name, sha256=hashlib.sha256(packed.getvalue()).hexdigest()),
        ),
    )
    text = document.model_dump_json(indent=1) + "\n"
    with storage_errors(onnx.parent):
        write_together(dict(zip(paths, (graph, packed.getvalue(), text.encode()), strict=True)))
    return Exported(paths[0], paths[2], paths[1], document)


def _require_no_encoder(run: Path) -> None:
    """Raise :class:`RunError` for a model on features of encoders, before any weights are looked for."""
    record = RunFolder.open(run).record()
    encoders = {encoder.name for encoder in record.store_spec.encoders} & set(record.features)
    if encoders:
        raise RunError(
            f"{run} reads the encoder {', '.join(sorted(encoders))}, which ONNX files do not include; "
            f"predict with `ser-predict {run}`, or export a run of other features"
        )


def onnx_bytes(graph: Graph, coefficients: int, frames: int) -> bytes:
    """``graph`` as ONNX for any number of clips of (coefficients, frames). Raises :class:`RunError`."""
    example = (torch.zeros(2, coefficients, frames), torch.tensor([frames, 1]))
    batch = torch.export.Dim("batch")
    with _silence_exporter():
        try:
            program = torch.onnx.export(
                graph,
                example,
                dynamo=True,
                opset_version=_OPSET,
                input_names=["features", "valid_frames"],
                output_names=["probabilities", "emotions"],
                dynamic_shapes={"features": {0: batch}, "valid_frames": {0: batch}},
                verbose=False,
            )
        except (RuntimeError, NotImplementedError) as error:  # torch's own tree derives from RuntimeError
            _require_environment(error)
            reason = str(error).strip().splitlines()[0]
            raise RunError(
                f"the model cannot be expressed in ONNX ({reason}); use it from Python: "
                "training.predict.Predictor"
            ) from error
    if program is None:
        raise RunError("torch returned no ONNX graph; use the model from Python: training.predict.Predictor")
    model = program.model_proto
    _clear_origin(model)
    return bytes(model.SerializeToString())


def _require_environment(error: BaseException) -> None:
    """Raise :class:`RunError` if an export failed for a reason that has nothing to do with the model."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyError) and "getpwuid" in str(cause):
            raise RunError(
                "torch cannot export the model because this user has no name; set LOGNAME to any name"
            ) from error
        if isinstance(cause, OSError):
            raise RunError(
                f"torch cannot export the model: {cause.filename or 'its temporary files'}: "
                f"{cause.strerror or cause}; make that folder writable, or set TMPDIR to another one"
            ) from error
        cause = cause.__cause__ or cause.__context__


def _clear_origin(message: Any) -> None:
    """Clear the files and lines that the exporter notes in a protobuf message and everything in it.

    So an exported model reveals no folders of the machine, and is the same wherever it is exported.
    """
    for field, value in message.ListFields():
        if field.name in {"metadata_props", "doc_string"}:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for each in value if hasattr(value, "add") else (value,):  # repeated, or one
                _clear_origin(each)


@contextmanager
def _silence_exporter() -> Iterator[None]:
    """Silence the internal messages of torch's exporter."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _output_paths(onnx: Path, *, force: bool) -> tuple[Path, Path, Path]:
    if onnx.suffix.lower() != ".onnx":
        raise UsageError(f"{onnx} does not end in .onnx; give a name such as model.onnx")
    if not is_utf8(onnx.name):
        raise UsageError(f"{onnx} is not a UTF-8 name, as {onnx.stem}.json needs; give another name")
    paths = (onnx, onnx.with_suffix(".npz"), onnx.with_suffix(".json"))
    for path in paths:
        require_outside(path, "")
        if path.exists() and not force:
            raise UsageError(f"{path} already exists; give another name, or --force to replace it")
    return paths


def _require_libraries() -> None:
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise RunError(
            f"export needs {', '.join(_LIBRARIES)}, but {missing[0]} is not installed; install "
            "ser-features[onnx]"
        )


def _size(predictor: Predictor) -> tuple[int, int]:
    rows = predictor.spec.coefficients
    return sum(rows[name] for name in predictor.record.features), predictor.spec.frames


def _vector(predictor: Predictor, sound: Chirp) -> dict[str, NDArray[Any]]:
    """The sound at every step: ``samples`` (n,), and the graph's inputs and outputs for a batch of one."""
    samples = sound.waveform
    features, valid = predictor.inputs([samples])
    probabilities = predictor.score(torch.from_numpy(features), torch.from_numpy(valid))
    return {
        "samples": samples,
        "features": features.astype(np.float32),
        "valid_frames": valid,
        "probabilities": probabilities.astype(np.float32),
        "emotions": predictor.marginal(probabilities).astype(np.float32),
    }


def _document(
    predictor: Predictor, worth: Worth | None, onnx: ExportedFile, check: OnnxCheck, vector: TestVector
) -> ExportDocument:
    record, spec = predictor.record, predictor.spec
    labels = label_set(record.recipe.labels.set)
    emotions: tuple[EmotionOf, ...] = emotions_of(labels, record.recipe.labels.target)
    coefficients, frames = _size(predictor)
    interval = None if worth is None or worth.low is None or worth.high is None else (worth.low, worth.high)
    return ExportDocument(
        onnx=onnx,
        opset=_OPSET,
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
        outputs=(
            Tensor(
                name="probabilities",
                dtype="float32",
                shape=("batch", len(record.classes)),
                meaning="probability of each of classes",
            ),
            Tensor(
                name="emotions",
                dtype="float32",
                shape=("batch", len(emotions)),
                meaning="probability of each of emotions: the sum over its classes",
            ),
        ),
        classes=record.classes,
        emotions=emotions,
        audio=spec.audio,
        length=spec.length,
        steps=steps_of(spec),
        spectral=spec.spectral,
        frames=frames,
        stored_as=spec.storage.dtype,
        features=rows_of(spec, record.features),
        result=Result(
            protocol=None if worth is None else worth.claim.title,
            ua=None if worth is None else worth.ua,
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
