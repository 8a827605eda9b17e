"""Torch modules as ONNX, with any number of clips."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from schemas.errors import RunError

OPSET = 20
"""The newest opset that torch's exporter writes without conversion; onnxruntime 1.17 or newer reads it."""

LARGEST_BYTES = 2**31 - 2**20
"""A protobuf message, and so a file that holds the numbers itself, has less than 2 GiB."""

Dimensions = Mapping[str, Mapping[int, Any]]
"""Input → number of a dimension → ``torch.export.Dim``, for dimensions of any size."""


def to_onnx(
    module: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    dimensions: Dimensions,
) -> bytes:
    """``module``, whose arguments have the names in ``example``, as ONNX. Raises :class:`RunError`."""
    size = sum(each.numel() * each.element_size() for each in module.state_dict().values())
    if size > LARGEST_BYTES:
        raise RunError(
            f"the model has {size / 2**30:.1f} GiB of numbers, and an ONNX file holds less than 2 GiB; use "
            "it from Python: training.predict.Predictor"
        )
    with _silence_exporter():
        try:
            program = torch.onnx.export(
                module,
                tuple(example.values()),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(example),
                output_names=list(outputs),
                dynamic_shapes={name: dict(sizes) for name, sizes in dimensions.items()},
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
