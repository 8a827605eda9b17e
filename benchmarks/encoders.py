"""Whisper as stored features: our window of the clip's length against the usual ways, same weights.

    python benchmarks/encoders.py --corpora corpora --encoder ~/models/whisper-base

Each contender computes the same clips on one core, in one run, in turn; figures are medians of processor
time per clip. Ours computes layers 1 to 4. The usual ways: ``transformers`` on a window of 30 s, as its
pipelines do; on one of the clip's length, which needs a changed model; nkululeko's, which also runs a step of
the decoder; and CTranslate2, the engine of faster-whisper, if it is installed (it gives the last layer only).
Weights of the decoder are random: it is only timed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import transformers
from machine import write_result
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from data.ravdess import Ravdess
from pipelines.decode import decode
from pipelines.encoders.ctranslate2 import encoder_tensors, read_variables
from pipelines.encoders.weights import EncoderWeights, find_weights
from schemas.encoders import WhisperArchitecture
from schemas.spec import AudioSpec

LAYERS = (1, 2, 3, 4)
AUDIO = AudioSpec(sample_rate=16_000, duration_s=10.0, trim_db=30.0)
Samples = np.ndarray


def reference(weights: EncoderWeights, positions: int) -> WhisperEncoder:
    """``transformers``' encoder with these weights, for windows of ``positions`` frames."""
    found = weights.architecture
    assert isinstance(found, WhisperArchitecture)
    config = transformers.WhisperConfig(
        d_model=found.width,
        encoder_layers=found.blocks,
        encoder_attention_heads=found.heads,
        encoder_ffn_dim=found.inner_width,
        num_mel_bins=found.n_mels,
        max_source_positions=positions,
    )
    network = WhisperEncoder(config).eval()
    tensors = encoder_tensors(read_variables(weights.files[0]), found.blocks)
    tensors["embed_positions.weight"] = tensors["embed_positions.weight"][:positions]
    network.load_state_dict(tensors, strict=False)
    return network


def with_vocabulary(weights: EncoderWeights, scratch: Path) -> Path:
    """A folder that CTranslate2 opens: with made-up words, which the encoder never sees."""
    words = transformers.WhisperConfig().vocab_size  # of the multilingual models
    (scratch / "model.bin").symlink_to(weights.files[0].resolve())
    made_up = "".join(f"word{number}\n" for number in range(words - 2))
    (scratch / "vocabulary.txt").write_text(f"<|endoftext|>\n<|startoftranscript|>\n{made_up}")
    return scratch


def with_decoder(encoder: WhisperEncoder) -> transformers.WhisperModel:
    """Whisper with this encoder and an untrained decoder of the same size."""
    config = encoder.config.to_dict()
    config |= {
        "decoder_layers": config["encoder_layers"],
        "decoder_attention_heads": config["encoder_attention_heads"],
        "decoder_ffn_dim": config["encoder_ffn_dim"],
    }
    model = transformers.WhisperModel(transformers.WhisperConfig(**config)).eval()
    model.encoder.load_state_dict(encoder.state_dict())
    return model


def contenders(weights: EncoderWeights) -> dict[str, Callable[[Samples], object]]:
    """Name → function of one clip."""
    ours = weights.load(LAYERS, torch.device("cpu"))
    extractor = transformers.WhisperFeatureExtractor()
    whole = reference(weights, 1500)
    by_length: dict[int, WhisperEncoder] = {}

    def on_window(samples: Samples) -> object:
        mel = extractor(samples, sampling_rate=16_000, return_tensors="pt").input_features
        with torch.inference_mode():
            return whole(mel, output_hidden_states=True)

    def on_clip(samples: Samples) -> object:
        frames = -(-len(samples) // 320)
        if frames not in by_length:
            by_length[frames] = reference(weights, frames)
        mel = extractor(
            samples, sampling_rate=16_000, return_tensors="pt", max_length=320 * frames
        ).input_features
        with torch.inference_mode():
            return by_length[frames](mel, output_hidden_states=True)

    decoded = with_decoder(whole)
    start = torch.full((1, 2), decoded.config.decoder_start_token_id)

    def with_a_step(samples: Samples) -> object:
        mel = extractor(samples, sampling_rate=16_000, return_tensors="pt").input_features
        with torch.no_grad():
            return decoded(mel, decoder_input_ids=start, output_hidden_states=True)

    found: dict[str, Callable[[Samples], object]] = {
        "ours, layers 1 to 4": lambda samples: ours.hidden_states(torch.from_numpy(samples)[None]),
        "transformers, the clip": on_clip,
        "transformers, 30 s": on_window,
        "nkululeko's way, 30 s": with_a_step,
    }
    try:
        import ctranslate2
    except ImportError:
        return found
    with tempfile.TemporaryDirectory() as scratch:
        folder = with_vocabulary(weights, Path(scratch))
        model = ctranslate2.models.Whisper(str(folder), compute_type="float32", intra_threads=1)

    def by_ctranslate2(samples: Samples) -> object:
        mel = extractor(samples, sampling_rate=16_000, return_tensors="np").input_features
        return model.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(mel)))

    return {**found, "CTranslate2, 30 s": by_ctranslate2}


def main() -> None:
    """Measure all contenders in turn and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=Path("corpora"))
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=30)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    scan = Ravdess().scan(arguments.corpora / "ravdess")
    files = [scan.root / clip.path for clip in scan.clips[:: len(scan.clips) // arguments.clips]]
    clips = [decode(file.read_bytes(), AUDIO).samples for file in files]
    ways = contenders(find_weights(arguments.encoder))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for samples in clips:
        for name, way in ways.items():
            way(samples)  # makes what depends on the length
            started = time.process_time()
            way(samples)
            seconds[name].append(time.process_time() - started)
    medians = {name: 1000 * statistics.median(values) for name, values in seconds.items()}
    ours = medians["ours, layers 1 to 4"]
    for name, value in medians.items():
        print(f"{name:26} {value:8.1f} ms per clip   {value / ours:5.1f} × ours")
    length = statistics.median(len(samples) / 16_000 for samples in clips)
    write_result("encoders", {"clips": len(clips), "median_clip_s": length, "ms_per_clip": medians})


if __name__ == "__main__":
    main()
