"""Weights of an encoder in a folder: which format they have, what they are, and how they are loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import torch

from pipelines.encoders import ctranslate2, hugging_face
from pipelines.encoders.encoder import Encoder
from pipelines.encoders.waveform import WaveformEncoder
from pipelines.encoders.whisper import WhisperEncoder
from schemas.encoders import Architecture, WhisperArchitecture
from schemas.errors import EncoderError, UsageError

_CTRANSLATE2 = "model.bin"


@dataclass(frozen=True)
class EncoderWeights:
    """Weights on this machine.

    ``folder`` : where they are. ``files`` : the files that hold the tensors.
    """

    folder: Path
    architecture: Architecture
    files: tuple[Path, ...]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file of the weights; of several, that of the lines ``hash  name`` as sha256sum's."""
        hashes = [_hash_file(path) for path in self.files]
        if len(hashes) == 1:
            return hashes[0]
        lines = "".join(f"{digest}  {path.name}\n" for digest, path in zip(hashes, self.files, strict=True))
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def bytes(self) -> int:
        """Size of the files of the weights."""
        return sum(path.stat().st_size for path in self.files)

    def load(self, states: tuple[int, ...], device: torch.device) -> Encoder:
        """Load the blocks that ``states`` need.

        ``states`` : ascending, from 0 to the number of blocks. Raises :class:`UsageError` for a state that
        the encoder does not have, and :class:`EncoderError` for unusable files.
        """
        if not states or list(states) != sorted(set(states)):
            raise UsageError(f"list layers in ascending order, each once, not {', '.join(map(str, states))}")
        if states[0] < 0 or states[-1] > self.architecture.blocks:
            wrong = states[0] if states[0] < 0 else states[-1]
            raise UsageError(f"the encoder has no layer {wrong}; choose from 0 to {self.architecture.blocks}")
        if not isinstance(self.architecture, WhisperArchitecture) and find_spec("transformers") is None:
            raise EncoderError(
                f"encoders of the family {self.architecture.family} need the package transformers; install "
                f"the extra encoders: pip install 'ser-features[encoders]'"
            )
        try:
            return load_encoder(self.architecture, states, self._tensors(max(1, states[-1])), device)
        except EncoderError as error:
            raise EncoderError(f"the encoder in {self.folder} is unusable: {error}") from error

    def _tensors(self, blocks: int) -> Mapping[str, torch.Tensor]:
        if self.files[0].name == _CTRANSLATE2:
            return ctranslate2.encoder_tensors(ctranslate2.read_variables(self.files[0]), blocks)
        return hugging_face.read_tensors(self.files, self.architecture, blocks)


def load_encoder(
    architecture: Architecture,
    states: tuple[int, ...],
    tensors: Mapping[str, torch.Tensor],
    device: torch.device,
) -> Encoder:
    """Make the encoder of an architecture from its tensors."""
    if isinstance(architecture, WhisperArchitecture):
        return WhisperEncoder(architecture, states, tensors, device)
    return WaveformEncoder(architecture, states, tensors, device)


def find_weights(folder: Path) -> EncoderWeights:
    """The weights in a folder of Hugging Face or of CTranslate2.

    Raises :class:`EncoderError` if there are none, or they are damaged or not supported.
    """
    if not folder.is_dir():
        raise EncoderError(f"there is no folder {folder}; name one with a model.safetensors or a model.bin")
    files = hugging_face.weight_files(folder)
    if files:
        return EncoderWeights(folder, hugging_face.read_architecture(folder), files)
    path = folder / _CTRANSLATE2
    if not path.is_file():
        raise EncoderError(
            f"{folder} holds no weights: no model.safetensors, no pytorch_model.bin and no "
            f"model.bin of CTranslate2"
        )
    return EncoderWeights(folder, ctranslate2.read_architecture(path), (path,))


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
