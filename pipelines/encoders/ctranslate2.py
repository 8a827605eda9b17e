"""Reads Whisper encoders from ``model.bin``, the file of CTranslate2 and faster-whisper."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import ValidationError

from schemas.encoders import WhisperArchitecture
from schemas.errors import EncoderError

VERSION, SPECIFICATION = 6, "WhisperSpec"
_MOST_VARIABLES = 100_000
_BFLOAT16 = 5
_DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2", _BFLOAT16: "<i2"}
_BLOCK = re.compile(r"encoder/layer_(\d+)/")


@dataclass(frozen=True)
class Variable:
    """One variable: its values, which for bfloat16 are the bits of each number."""

    values: npt.NDArray[np.generic]
    bfloat16: bool

    def as_float(self) -> torch.Tensor | None:
        """A copy as a tensor; None if it is quantised."""
        native = torch.from_numpy(self.values.astype(self.values.dtype.newbyteorder("="), copy=True))
        if self.bfloat16:
            return native.view(torch.bfloat16)
        return native if native.is_floating_point() else None


@dataclass(frozen=True)
class Variables:
    """The encoder's variables of a ``model.bin`` by name, as views of the mapped file."""

    path: Path
    by_name: Mapping[str, Variable]

    def values(self, name: str) -> npt.NDArray[np.generic]:
        """A variable's values. Raises :class:`EncoderError` if the file lacks it."""
        return self._variable(name).values

    def tensor(self, name: str) -> torch.Tensor:
        """A variable with floating-point numbers. Raises :class:`EncoderError` for quantised weights."""
        tensor = self._variable(name).as_float()
        if tensor is None:
            raise EncoderError(
                f"the weights in {self.path} are quantised to {self.values(name).dtype.name}; convert the "
                f"model with `ct2-transformers-converter --quantization float16`"
            )
        return tensor

    def _variable(self, name: str) -> Variable:
        if name not in self.by_name:
            raise EncoderError(f"{self.path} lacks the variable '{name}'; download or convert it again")
        return self.by_name[name]


def read_variables(path: Path) -> Variables:
    """Read the names and places of the encoder's variables; their values are read when they are used.

    Layout (little-endian): version, name of the specification, revision and number of variables; per
    variable its name, rank, dimensions, type and bytes. Raises :class:`EncoderError` for any other file.
    """
    try:
        return Variables(path, _parse(_Cursor(np.memmap(path, dtype=np.uint8, mode="r"))))
    except (ValueError, UnicodeDecodeError, struct.error) as error:
        raise EncoderError(
            f"{path} is damaged or no model of CTranslate2 ({error}); download or convert it again"
        ) from error


def read_architecture(path: Path) -> WhisperArchitecture:
    """The architecture that the shapes of the variables imply. Raises :class:`EncoderError`."""
    variables = read_variables(path)
    width, n_mels, _ = _shape(variables, "encoder/conv1/weight", 3)
    inner, _ = _shape(variables, "encoder/layer_0/ffn/linear_0/weight", 2)
    positions, _ = _shape(variables, "encoder/position_encodings/encodings", 2)
    values = {
        "width": width,
        "blocks": len({found[1] for name in variables.by_name if (found := _BLOCK.match(name))}),
        "heads": int(variables.values("encoder/num_heads").reshape(-1)[0]),
        "inner_width": inner,
        "n_mels": n_mels,
        "positions": positions,
    }
    try:
        return WhisperArchitecture.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise EncoderError(f"{path} is unusable: {where or 'whisper'}: {first['msg']}") from error


def encoder_tensors(variables: Variables, blocks: int) -> dict[str, torch.Tensor]:
    """Tensors of the first ``blocks`` blocks by the names of ``transformers``' WhisperEncoder."""
    out = {
        "embed_positions.weight": variables.tensor("encoder/position_encodings/encodings"),
        "layer_norm.weight": variables.tensor("encoder/layer_norm/gamma"),
        "layer_norm.bias": variables.tensor("encoder/layer_norm/beta"),
    }
    for part in ("weight", "bias"):
        out |= {f"{conv}.{part}": variables.tensor(f"encoder/{conv}/{part}") for conv in ("conv1", "conv2")}
    for block in range(blocks):
        out |= _block_tensors(variables, f"encoder/layer_{block}", f"layers.{block}")
    return out


def _block_tensors(variables: Variables, source: str, target: str) -> dict[str, torch.Tensor]:
    out = {}
    for part in ("weight", "bias"):
        # Queries, keys and values are stacked. A bias of the keys would change nothing: softmax cancels it.
        stacked = variables.tensor(f"{source}/self_attention/linear_0/{part}")
        for name, tensor in zip(("q_proj", "k_proj", "v_proj"), stacked.chunk(3), strict=True):
            out[f"{target}.self_attn.{name}.{part}"] = tensor
        out[f"{target}.self_attn.out_proj.{part}"] = variables.tensor(
            f"{source}/self_attention/linear_1/{part}"
        )
        out[f"{target}.fc1.{part}"] = variables.tensor(f"{source}/ffn/linear_0/{part}")
        out[f"{target}.fc2.{part}"] = variables.tensor(f"{source}/ffn/linear_1/{part}")
    for norm, name in (
        ("self_attention/layer_norm", "self_attn_layer_norm"),
        ("ffn/layer_norm", "final_layer_norm"),
    ):
        out[f"{target}.{name}.weight"] = variables.tensor(f"{source}/{norm}/gamma")
        out[f"{target}.{name}.bias"] = variables.tensor(f"{source}/{norm}/beta")
    return out


def _shape(variables: Variables, name: str, rank: int) -> tuple[int, ...]:
    shape = variables.values(name).shape
    if len(shape) != rank:
        raise EncoderError(f"{variables.path}: the variable '{name}' has {len(shape)} dimensions, not {rank}")
    return shape


class _Cursor:
    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        self._data = data
        self._position = 0

    def number(self, code: str) -> int:
        """The next number, by its code in :mod:`struct`."""
        (value,) = struct.unpack(f"<{code}", self.take(struct.calcsize(code)).tobytes())
        return int(value)

    def text(self) -> str:
        """The next string: its length, which includes the final NUL, and its bytes."""
        return self.take(self.number("H")).tobytes().rstrip(b"\0").decode("ascii")

    def take(self, count: int) -> npt.NDArray[np.uint8]:
        """The next ``count`` bytes."""
        if self._position + count > len(self._data):
            raise ValueError(f"it ends after {len(self._data):,} bytes, within a variable")
        self._position += count
        return self._data[self._position - count : self._position]


def _parse(cursor: _Cursor) -> dict[str, Variable]:
    version = cursor.number("I")
    if version != VERSION:
        raise ValueError(f"its version is {version}, not {VERSION}")
    specification = cursor.text()
    if specification != SPECIFICATION:
        raise ValueError(f"it is a {specification}, not a {SPECIFICATION}")
    cursor.number("I")
    count = cursor.number("I")
    if count > _MOST_VARIABLES:
        raise ValueError(f"it holds {count:,} variables")
    out: dict[str, Variable] = {}
    for _ in range(count):
        name = cursor.text()
        shape = tuple(cursor.number("I") for _ in range(cursor.number("B")))
        kind, size = cursor.number("B"), cursor.number("I")
        if kind not in _DTYPES:
            raise ValueError(f"'{name}' has type {kind}")
        values = cursor.take(size)
        if name.startswith("encoder/"):
            numbers = np.ndarray((size // np.dtype(_DTYPES[kind]).itemsize,), _DTYPES[kind], values)
            out[name] = Variable(numbers.reshape(shape), kind == _BFLOAT16)
    return out
