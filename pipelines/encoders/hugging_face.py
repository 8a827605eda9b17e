"""Reads encoders from a folder of Hugging Face: ``config.json`` and ``model.safetensors``."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from schemas.encoders import (
    ENCODER_RATE,
    FAMILIES,
    Architecture,
    WhisperArchitecture,
    parse_architecture,
)
from schemas.errors import EncoderError

_SAFETENSORS, _PICKLE = "model.safetensors", "pytorch_model.bin"
_MOST_JSON = 2**26

_WHISPER_FIELDS = {
    "d_model": "width",
    "encoder_layers": "blocks",
    "encoder_attention_heads": "heads",
    "encoder_ffn_dim": "inner_width",
    "activation_function": "activation",
    "num_mel_bins": "n_mels",
    "max_source_positions": "positions",
}
_WAVEFORM_FIELDS = {
    "hidden_size": "width",
    "num_hidden_layers": "blocks",
    "num_attention_heads": "heads",
    "intermediate_size": "inner_width",
    "hidden_act": "activation",
    "layer_norm_eps": "norm_epsilon",
    "conv_dim": "conv_width",
    "conv_stride": "conv_stride",
    "conv_kernel": "conv_kernel",
    "conv_bias": "conv_bias",
    "feat_extract_norm": "conv_norm",
    "feat_extract_activation": "conv_activation",
    "num_conv_pos_embedding_groups": "position_groups",
}
_FAMILY_FIELDS = {
    "wav2vec2": {"num_conv_pos_embeddings": "position_kernel", "do_stable_layer_norm": "pre_norm"},
    "hubert": {
        "num_conv_pos_embeddings": "position_kernel",
        "do_stable_layer_norm": "pre_norm",
        "feat_proj_layer_norm": "project_norm",
    },
    "wavlm": {
        "num_conv_pos_embeddings": "position_kernel",
        "do_stable_layer_norm": "pre_norm",
        "num_buckets": "position_buckets",
        "max_bucket_distance": "position_distance",
    },
    "data2vec-audio": {
        "conv_pos_kernel_size": "position_kernel",
        "num_conv_pos_embeddings": "position_layers",
    },
}
_UNSUPPORTED = {"adapter_attn_dim": None, "conv_pos_batch_norm": False, "scale_embedding": False}
"""Settings that change the hidden states, with the only value that is supported."""

_WHISPER_PREFIX = re.compile(r"^(model\.)?encoder\.")
_WAVEFORM_PREFIX = re.compile(r"^(wav2vec2|hubert|wavlm|data2vec_audio)\.")
_BLOCK = re.compile(r"^(encoder\.)?layers\.(\d+)\.")
_WEIGHT_NORM = {
    "encoder.pos_conv_embed.conv.weight_g": "encoder.pos_conv_embed.conv.parametrizations.weight.original0",
    "encoder.pos_conv_embed.conv.weight_v": "encoder.pos_conv_embed.conv.parametrizations.weight.original1",
}
"""Names from before torch's parametrisations, which most published files still have."""


def read_architecture(folder: Path) -> Architecture:
    """The architecture that ``config.json`` describes, and for waveforms ``preprocessor_config.json``.

    Raises :class:`EncoderError` for a family or a setting that is not supported.
    """
    path = folder / "config.json"
    config = _read_json(path)
    family = config.get("model_type")
    if family not in FAMILIES:
        raise EncoderError(
            f"{path} describes a model of type {family!r}; the supported types are {', '.join(FAMILIES)}"
        )
    for name, supported in _UNSUPPORTED.items():
        if config.get(name, supported) != supported:
            raise EncoderError(f"{path}: {name} {config[name]!r} is not supported, only {supported!r}")
    fields = _WHISPER_FIELDS if family == "whisper" else _WAVEFORM_FIELDS | _FAMILY_FIELDS[family]
    values = {ours: config[theirs] for theirs, ours in fields.items() if theirs in config}
    if family != "whisper":
        values["normalise"] = _read_normalise(folder)
    try:
        return parse_architecture({"family": family, **values})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        raise EncoderError(f"{path} is unusable: {where or family}: {first['msg']}") from error


def _read_normalise(folder: Path) -> bool:
    """Whether waveforms are scaled to mean 0 and variance 1 before the first convolution."""
    found = [
        name for name in ("preprocessor_config.json", "processor_config.json") if (folder / name).exists()
    ]
    if not found:
        raise EncoderError(
            f"{folder} has no preprocessor_config.json, which tells whether the model expects normalised "
            f"waveforms; copy that file from the model's page into the folder"
        )
    values = _read_json(folder / found[0])
    values = values.get("feature_extractor", values)
    rate = values.get("sampling_rate", ENCODER_RATE)
    if rate != ENCODER_RATE:
        raise EncoderError(f"{folder / found[0]}: a sampling rate of {rate} Hz is not supported, only 16000")
    return bool(values.get("do_normalize", True))


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files of the weights in their order: safetensors if there are any, else PyTorch's.

    Raises :class:`EncoderError` if an index names a file outside the folder or one that is missing. Empty if
    the folder has no weights.
    """
    for name in (_SAFETENSORS, _PICKLE):
        if (folder / name).is_file():
            return (folder / name,)
        index = folder / f"{name}.index.json"
        if index.is_file():
            names = sorted(set(_read_json(index).get("weight_map", {}).values()))
            for part in names:
                if not isinstance(part, str) or Path(part).name != part:
                    raise EncoderError(f"{index} names the file {part!r}, which is not in the same folder")
                if not (folder / part).is_file():
                    raise EncoderError(f"{folder} lacks {part}, which {index.name} names; download it again")
            return tuple(folder / part for part in names)
    return ()


def read_tensors(files: tuple[Path, ...], architecture: Architecture, blocks: int) -> dict[str, torch.Tensor]:
    """Tensors of the first ``blocks`` blocks by the names of ``transformers``' base model.

    Raises :class:`EncoderError` for a file that is damaged or holds anything but tensors.
    """
    prefix = _WHISPER_PREFIX if isinstance(architecture, WhisperArchitecture) else _WAVEFORM_PREFIX
    out: dict[str, torch.Tensor] = {}
    for path in files:
        for name, tensor in _read_file(path):
            short = prefix.sub("", name)
            block = _BLOCK.match(short)
            if block is None or int(block[2]) < blocks:
                out[_WEIGHT_NORM.get(short, short)] = tensor
    return out


def _read_file(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    if path.suffix == ".safetensors":
        yield from _read_safetensors(path)
        return
    try:
        values = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        pairs = [(name, value) for name, value in values.items() if isinstance(value, torch.Tensor)]
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise EncoderError(
            f"{path} is damaged or holds more than tensors, which could run code; use a model.safetensors"
        ) from error
    yield from pairs


def _read_safetensors(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 it is no dict
                yield name, file.get_tensor(name)
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise EncoderError(f"{path} is damaged or no safetensors file; download it again") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_JSON:
            raise EncoderError(
                f"{path} is larger than {_MOST_JSON:,} bytes, so it is no description of a model"
            )
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise EncoderError(
            f"{path.parent} has no {path.name}; download the whole folder of the model"
        ) from error
    except (ValueError, RecursionError) as error:
        raise EncoderError(f"{path} is no valid JSON; download it again") from error
    if not isinstance(value, dict):
        raise EncoderError(f"{path} holds no JSON object; download it again")
    return value
