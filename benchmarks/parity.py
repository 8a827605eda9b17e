"""Parity with librosa: the largest absolute error of each feature on real recordings.

    python benchmarks/parity.py --corpora corpora

Uses every 60th recording of the corpora, cut or padded to 3 s, with the settings of recipe four-corpora-a in
float32.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import librosa
import numpy as np
import torch
from machine import write_result

from data.files import walk
from pipelines.decode import decode
from pipelines.features.extract import FeatureExtractor
from schemas.features import named_features
from schemas.recipe import load_recipe


def main() -> None:
    """Run the benchmark and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--every", type=int, default=60)
    options = parser.parse_args()
    recipe = load_recipe("four-corpora-a").store_spec(0)
    spec = recipe.model_copy(update={"features": named_features("all", recipe.features)})
    files = walk(options.corpora).audio[:: options.every]
    extract = FeatureExtractor(spec, torch.device("cpu"))
    errors: dict[str, float] = {}
    for file in files:
        samples = decode((options.corpora / file).read_bytes(), spec.audio).samples[: spec.length]
        y = np.zeros(spec.length, np.float32)
        y[: len(samples)] = samples
        mel = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=spec.audio.sample_rate))
        mfcc = librosa.feature.mfcc(S=mel, n_mfcc=40)
        expected = {
            "mel": mel,
            "mfcc": mfcc,
            "delta": librosa.feature.delta(mfcc),
            "delta2": librosa.feature.delta(mfcc, order=2),
            "chroma": librosa.feature.chroma_stft(y=y, sr=spec.audio.sample_rate),
            "rms": librosa.feature.rms(y=y),
            "zcr": librosa.feature.zero_crossing_rate(y),
        }
        ours = extract(torch.from_numpy(y)[None])
        for name, values in expected.items():
            error = float(np.abs(ours[name][0].numpy() - values).max())
            errors[name] = max(errors.get(name, 0.0), error)
    print(f"{len(files)} recordings: " + ", ".join(f"{name} {error:.1e}" for name, error in errors.items()))
    command = f"python benchmarks/parity.py --corpora corpora --every {options.every}"
    print(write_result("parity", {"command": command, "recordings": len(files), "largest_error": errors}))


if __name__ == "__main__":
    main()
