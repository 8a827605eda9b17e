"""Writes a ``model.bin`` as CTranslate2 does, from the state of ``transformers``' WhisperEncoder."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

DTYPES = {np.float32: 0, np.int8: 1, np.int16: 2, np.int32: 3, np.float16: 4}


def ctranslate2_variables(
    state: Mapping[str, torch.Tensor], heads: int, dtype: type[np.generic] = np.float16
) -> dict[str, np.ndarray]:
    """CTranslate2's names → values, in its order of names."""
    named = {"conv1": "conv1", "conv2": "conv2", "layer_norm": "layer_norm"}
    blocks = {int(name.split(".")[1]) for name in state if name.startswith("layers.")}
    for block in blocks:
        source, target = f"layers.{block}", f"layer_{block}"
        named |= {
            f"{source}.self_attn.out_proj": f"{target}/self_attention/linear_1",
            f"{source}.self_attn_layer_norm": f"{target}/self_attention/layer_norm",
            f"{source}.fc1": f"{target}/ffn/linear_0",
            f"{source}.fc2": f"{target}/ffn/linear_1",
            f"{source}.final_layer_norm": f"{target}/ffn/layer_norm",
        }
    out = {"decoder/num_heads": np.int16(heads), "encoder/num_heads": np.int16(heads)}
    out["encoder/position_encodings/encodings"] = state["embed_positions.weight"].numpy().astype(dtype)
    for source, target in named.items():
        norm = "norm" in source.rsplit(".", 1)[-1]
        for part, name in (("weight", "gamma" if norm else "weight"), ("bias", "beta" if norm else "bias")):
            out[f"encoder/{target}/{name}"] = state[f"{source}.{part}"].numpy().astype(dtype)
    for block in blocks:
        attention = f"layers.{block}.self_attn"
        weights = [state[f"{attention}.{name}_proj.weight"].numpy() for name in "qkv"]
        biases = [state[f"{attention}.{name}_proj.bias"].numpy() for name in "qv"]
        biases.insert(1, np.zeros_like(biases[0]))
        stacked = f"encoder/layer_{block}/self_attention/linear_0"
        out[f"{stacked}/weight"] = np.concatenate(weights).astype(dtype)
        out[f"{stacked}/bias"] = np.concatenate(biases).astype(dtype)
    return dict(sorted(out.items()))


def write_model(path: Path, variables: Mapping[str, np.ndarray]) -> Path:
    """Write the variables as CTranslate2's binary version 6."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    parts = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(variables))]
    for name, values in variables.items():
        array = np.asarray(values)
        parts += [text(name), struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)]
        parts += [struct.pack("<BI", DTYPES[array.dtype.type], array.nbytes), array.tobytes()]
    parts += [struct.pack("<I", 1), text("decoder/projection/weight"), text("decoder/embeddings/weight")]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(parts))
    return path
