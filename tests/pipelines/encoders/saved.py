"""Small encoders with random weights, saved as a user would have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": [16] * 7,
    "num_conv_pos_embedding_groups": 2,
}
WHISPER = {
    "d_model": 32,
    "encoder_layers": 3,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_source_positions": 200,
    "vocab_size": 100,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "decoder_start_token_id": 0,
}
LARGE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}


@dataclass(frozen=True)
class Kind:
    """A model class of ``transformers`` and its settings. ``normalise`` : of its preprocessor."""

    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    normalise: bool = True

    @property
    def is_whisper(self) -> bool:
        return self.model.startswith("Whisper")


KINDS = {
    "whisper": Kind("WhisperModel", WHISPER),
    "whisper with a decoder head": Kind("WhisperForConditionalGeneration", {**WHISPER, "num_mel_bins": 128}),
    "wav2vec 2.0 base": Kind("Wav2Vec2Model", SMALL),
    "wav2vec 2.0 with a CTC head": Kind("Wav2Vec2ForCTC", {**SMALL, "vocab_size": 32}),
    "XLS-R": Kind("Wav2Vec2ForPreTraining", {**SMALL, **LARGE}),
    "HuBERT base": Kind("HubertModel", SMALL),
    "HuBERT large": Kind("HubertModel", {**SMALL, **LARGE, "feat_proj_layer_norm": False}),
    "WavLM base": Kind("WavLMModel", SMALL, normalise=False),
    "WavLM large": Kind("WavLMModel", {**SMALL, **LARGE, "num_buckets": 40, "max_bucket_distance": 100}),
    "data2vec": Kind(
        "Data2VecAudioModel", {**SMALL, "conv_pos_kernel_size": 7, "num_conv_pos_embeddings": 2}
    ),
}


def make_network(kind: Kind, seed: int = 0) -> transformers.PreTrainedModel:
    """A network with random weights, so large that every layer matters; layer norms are random, too."""
    torch.manual_seed(seed)
    model_class = getattr(transformers, kind.model)
    network: transformers.PreTrainedModel = model_class(model_class.config_class(**kind.settings)).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "layer_norm" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif parameter.ndim > 1 and "parametrizations" not in name:
                parameter.mul_(4)
    return network


def save(
    network: transformers.PreTrainedModel, folder: Path, *, normalise: bool = True, **options: Any
) -> Path:
    """Save a network and its feature extractor in a folder."""
    network.save_pretrained(folder, **options)
    if not type(network).__name__.startswith("Whisper"):
        transformers.Wav2Vec2FeatureExtractor(do_normalize=normalise).save_pretrained(folder)
    return folder


def make_whisper_encoder(config: transformers.WhisperConfig) -> transformers.PreTrainedModel:
    """Whisper's encoder as ``transformers`` has it, with random weights.

    Imported here, since that takes three seconds, and every process of a test run collects the tests.
    """
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    return WhisperEncoder(config).eval()


def base_of(network: transformers.PreTrainedModel) -> transformers.PreTrainedModel:
    """The encoder within a model with a head or a decoder."""
    base: transformers.PreTrainedModel = network.base_model
    if not isinstance(base, transformers.WhisperModel):
        return base
    encoder: transformers.PreTrainedModel = base.encoder
    return encoder
