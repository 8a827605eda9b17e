"""Published encoders by the names that builds and recipes use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownEncoder:
    """A published encoder.

    ``hub_id`` : its repository on Hugging Face. ``blocks`` : transformer blocks, so that its layers are 0 to
    ``blocks``. ``width`` : values per layer and frame. ``parameters`` : millions, of the whole network.
    """

    name: str
    hub_id: str
    family: str
    licence: str
    blocks: int
    width: int
    parameters: int


_ENCODERS = (
    KnownEncoder("whisper-tiny", "openai/whisper-tiny", "whisper", "Apache-2.0", 4, 384, 38),
    KnownEncoder("whisper-tiny.en", "openai/whisper-tiny.en", "whisper", "Apache-2.0", 4, 384, 38),
    KnownEncoder("whisper-base", "openai/whisper-base", "whisper", "Apache-2.0", 6, 512, 73),
    KnownEncoder("whisper-base.en", "openai/whisper-base.en", "whisper", "Apache-2.0", 6, 512, 73),
    KnownEncoder("whisper-small", "openai/whisper-small", "whisper", "Apache-2.0", 12, 768, 242),
    KnownEncoder("whisper-medium", "openai/whisper-medium", "whisper", "Apache-2.0", 24, 1024, 764),
    KnownEncoder("whisper-large-v3", "openai/whisper-large-v3", "whisper", "Apache-2.0", 32, 1280, 1543),
    KnownEncoder("wav2vec2-base", "facebook/wav2vec2-base", "wav2vec2", "Apache-2.0", 12, 768, 95),
    KnownEncoder(
        "wav2vec2-large-robust", "facebook/wav2vec2-large-robust", "wav2vec2", "Apache-2.0", 24, 1024, 315
    ),
    KnownEncoder("xls-r-300m", "facebook/wav2vec2-xls-r-300m", "wav2vec2", "Apache-2.0", 24, 1024, 315),
    KnownEncoder("hubert-base", "facebook/hubert-base-ls960", "hubert", "Apache-2.0", 12, 768, 95),
    KnownEncoder("hubert-large", "facebook/hubert-large-ll60k", "hubert", "Apache-2.0", 24, 1024, 316),
    KnownEncoder("wavlm-base-plus", "microsoft/wavlm-base-plus", "wavlm", "CC BY-SA 3.0", 12, 768, 94),
    KnownEncoder("wavlm-large", "microsoft/wavlm-large", "wavlm", "CC BY-SA 3.0", 24, 1024, 316),
    KnownEncoder(
        "data2vec-base", "facebook/data2vec-audio-base", "data2vec-audio", "Apache-2.0", 12, 768, 93
    ),
    KnownEncoder(
        "data2vec-large", "facebook/data2vec-audio-large", "data2vec-audio", "Apache-2.0", 24, 1024, 313
    ),
)

KNOWN_ENCODERS: dict[str, KnownEncoder] = {encoder.name: encoder for encoder in _ENCODERS}
