"""Folders of weights: what is read, and the sentence for what is not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.encoders import weights
from pipelines.encoders.weights import find_weights
from schemas.errors import EncoderError, UsageError
from tests.pipelines.encoders.conftest import Saved
from tests.pipelines.encoders.saved import WHISPER, base_of, save
from tests.pipelines.encoders.write_ctranslate2 import ctranslate2_variables, write_model

CPU = torch.device("cpu")
WAVEFORM = 0.1 * torch.randn(1, 6_000, generator=torch.Generator().manual_seed(0))
STATES = (1, 3)


def _states(folder: Path) -> torch.Tensor:
    return find_weights(folder).load(STATES, CPU).hidden_states(WAVEFORM)


def _copy(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder, target, dirs_exist_ok=True))


def _ctranslate2(saved: Saved, folder: Path, dtype: type[np.generic] = np.float32) -> Path:
    state = base_of(saved("whisper")[0]).state_dict()
    write_model(folder / "model.bin", ctranslate2_variables(state, heads=4, dtype=dtype))
    return folder


def test_ctranslate2_equals_safetensors(saved: Saved, tmp_path: Path) -> None:
    _, folder = saved("whisper")
    other = _ctranslate2(saved, tmp_path)
    assert find_weights(other).architecture == find_weights(folder).architecture
    assert torch.equal(_states(other), _states(folder))


def test_ctranslate2_in_float16_is_read_as_such(saved: Saved, tmp_path: Path) -> None:
    network, folder = saved("whisper")
    half = save(type(network)(network.config).eval(), tmp_path / "half")
    values = {name: value.half().float() for name, value in load_file(folder / "model.safetensors").items()}
    save_file(values, half / "model.safetensors")
    assert torch.equal(_states(_ctranslate2(saved, tmp_path / "ct", np.float16)), _states(half))


def test_shards_equal_one_file(saved: Saved, tmp_path: Path) -> None:
    network, folder = saved("HuBERT base")
    sharded = save(network, tmp_path, max_shard_size="40KB")
    found = find_weights(sharded)
    assert len(found.files) > 2
    assert torch.equal(_states(sharded), _states(folder))
    listing = subprocess.run(
        ["sha256sum", *(path.name for path in found.files)], cwd=sharded, capture_output=True, check=True
    )
    assert found.sha256 == hashlib.sha256(listing.stdout).hexdigest()


def test_hash_of_one_file_is_the_hash_of_that_file(saved: Saved) -> None:
    _, folder = saved("WavLM base")
    content = (folder / "model.safetensors").read_bytes()
    found = find_weights(folder)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.bytes == len(content)


@pytest.mark.parametrize("name", ["wav2vec 2.0 base", "WavLM large", "whisper"])
def test_pytorch_files_with_old_names(saved: Saved, tmp_path: Path, name: str) -> None:
    """Most published models: ``pytorch_model.bin``, weight norms named before parametrisations."""
    _, folder = saved(name)
    target = _copy(folder, tmp_path)
    values = load_file(target / "model.safetensors")
    old = {
        key.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): value
        for key, value in values.items()
    }
    torch.save(old, target / "pytorch_model.bin")
    (target / "model.safetensors").unlink()
    assert torch.equal(_states(target), _states(folder))


def _truncate(folder: Path) -> None:
    (path,) = (*folder.glob("model.*tensors"), *folder.glob("model.bin"))
    path.write_bytes(path.read_bytes()[:-100])


def _replace_json(name: str, **values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


def _change_tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def change_file(folder: Path) -> None:
        values = load_file(folder / "model.safetensors")
        change(values)
        save_file(values, folder / "model.safetensors")

    return change_file


class _Harmful:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch /tmp/ran",)


def _pickle(value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        torch.save(value, folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()

    return change


def _index(names: list[str]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "part.safetensors")
        index = {"weight_map": {str(number): name for number, name in enumerate(names)}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    return change


_NORM = "encoder.layers.1.layer_norm.weight"

DAMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "truncated": ("WavLM base", _truncate, "is damaged or no safetensors file; download it again"),
    "another family": (
        "WavLM base",
        _replace_json("config.json", model_type="bert"),
        "a model of type 'bert'; the supported types are whisper, wav2vec2, hubert, wavlm, data2vec-audio",
    ),
    "language adapters": (
        "XLS-R",
        _replace_json("config.json", adapter_attn_dim=16),
        "adapter_attn_dim 16 is not supported, only None",
    ),
    "batch norm": (
        "HuBERT base",
        _replace_json("config.json", conv_pos_batch_norm=True),
        "conv_pos_batch_norm True is not supported, only False",
    ),
    "heads that do not divide": (
        "HuBERT base",
        _replace_json("config.json", num_attention_heads=5),
        "a width of 32 cannot be divided among 5 attention heads",
    ),
    "absurd width": ("HuBERT base", _replace_json("config.json", hidden_size=10**9), "width: "),
    "width of another model": (
        "HuBERT base",
        _replace_json("config.json", intermediate_size=48),
        "is 64 × 32 in the weights, and 48 × 32 in the configuration",
    ),
    "no config": ("XLS-R", lambda folder: (folder / "config.json").unlink(), "has no config.json"),
    "config is no JSON": ("XLS-R", lambda f: (f / "config.json").write_text("{"), "is no valid JSON"),
    "config is a list": ("XLS-R", lambda f: (f / "config.json").write_text("[]"), "holds no JSON object"),
    "no preprocessor": (
        "data2vec",
        lambda folder: (folder / "preprocessor_config.json").unlink(),
        "has no preprocessor_config.json, which tells whether the model expects normalised waveforms",
    ),
    "8 kHz": (
        "data2vec",
        _replace_json("preprocessor_config.json", sampling_rate=8000),
        "a sampling rate of 8000 Hz is not supported",
    ),
    "tensor missing": (
        "data2vec",
        _change_tensors(lambda values: values.pop(_NORM)),
        f"the weights lack the tensor '{_NORM}'",
    ),
    "not finite": (
        "data2vec",
        _change_tensors(lambda values: values[_NORM].fill_(float("nan"))),
        f"the tensor '{_NORM}' holds numbers that are not finite",
    ),
    "pickled code": ("WavLM base", _pickle(_Harmful()), "holds more than tensors, which could run code"),
    "pickled list": ("WavLM base", _pickle([torch.zeros(2)]), "is damaged or holds more than tensors"),
    "shard outside": ("XLS-R", _index(["../model.safetensors"]), "which is not in the same folder"),
    "shard missing": ("XLS-R", _index(["other.safetensors"]), "lacks other.safetensors"),
    "no weights": ("XLS-R", lambda f: (f / "model.safetensors").unlink(), "holds no weights"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_sentence(saved: Saved, tmp_path: Path, damage: str) -> None:
    name, change, expected = DAMAGES[damage]
    folder = _copy(saved(name)[1], tmp_path)
    change(folder)
    with pytest.raises(EncoderError) as caught:
        _states(folder)
    message = str(caught.value)
    assert expected in message
    assert str(folder) in message
    assert "\n" not in message
    assert not Path("/tmp/ran").exists()


CTRANSLATE2_DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (_truncate, "within a variable); download or convert it again"),
    "empty": (
        lambda folder: (folder / "model.bin").write_bytes(b""),
        "is damaged or no model of CTranslate2",
    ),
    "something else": (
        lambda folder: (folder / "model.bin").write_bytes(b"PK" * 500),
        "is damaged or no model of CTranslate2 (its version is ",
    ),
}


@pytest.mark.parametrize("damage", CTRANSLATE2_DAMAGES)
def test_one_sentence_for_ctranslate2(saved: Saved, tmp_path: Path, damage: str) -> None:
    change, expected = CTRANSLATE2_DAMAGES[damage]
    folder = _ctranslate2(saved, tmp_path)
    change(folder)
    with pytest.raises(EncoderError) as caught:
        _states(folder)
    assert expected in str(caught.value)


def test_quantised_weights_are_refused(saved: Saved, tmp_path: Path) -> None:
    folder = _ctranslate2(saved, tmp_path, np.int8)
    with pytest.raises(
        EncoderError, match=r"quantised to int8; convert the model with `ct2-transformers-conv"
    ):
        _states(folder)


@pytest.mark.parametrize("states", [(), (2, 1), (1, 1), (-1,), (4,)])
def test_states_that_the_encoder_lacks(saved: Saved, states: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"ascending order|no layer"):
        find_weights(saved("WavLM base")[1]).load(states, CPU)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="there is no folder"):
        find_weights(tmp_path / "nowhere")


def test_whisper_settings_are_those_of_the_file(saved: Saved) -> None:
    architecture = find_weights(saved("whisper")[1]).architecture
    assert (architecture.width, architecture.blocks) == (WHISPER["d_model"], WHISPER["encoder_layers"])
    assert architecture.frames(4 * 16_000) == WHISPER["max_source_positions"]


def test_a_machine_without_transformers(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whisper needs none."""
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(
        EncoderError,
        match=r"of the family wavlm need .* the extra encoders: pip install 'ser-features\[encoders\]'",
    ):
        _states(saved("WavLM base")[1])
    assert _states(saved("whisper")[1]).shape[1] == len(STATES)
