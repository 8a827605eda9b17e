"""Features of one encoder share its forward pass, and their numbers do not depend on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.encoders.encoder import Encoder
from pipelines.encoders.weights import EncoderWeights, find_weights
from pipelines.pipeline import Pipeline
from schemas.encoders import EncoderSpec
from schemas.errors import UsageError
from schemas.spec import AudioSpec, SpectralSpec, StoreSpec
from tests.pipelines.encoders.conftest import Saved
from tests.pipelines.encoders.saved import KINDS, base_of, make_network, save

CLIPS = [
    (0.1 * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)
    for seed, length in enumerate((9_000, 5_123))
]
POOLED = {"layers": (1, 3), "pooling": "mean+std"}
FRAMED = {"layers": (2,), "pooling": "frames", "stride": 2}
SINGLE = {"layers": (1,), "pooling": "mean"}


def _feature(folder: Path, name: str, **settings: object) -> EncoderSpec:
    weights = find_weights(folder)
    return EncoderSpec.model_validate(
        {"name": name, "architecture": weights.architecture, "sha256": weights.sha256, **settings}
    )


def _arrays(folders: dict[str, Path], *features: EncoderSpec) -> list[dict[str, np.ndarray]]:
    spec = StoreSpec(
        audio=AudioSpec(sample_rate=22_050, duration_s=1.0),
        spectral=SpectralSpec(n_fft=512, hop_length=256),
        features=features,
    )
    pipeline = Pipeline(spec, torch.device("cpu"), folders)
    return [dict(pipeline(["clip"], [clip]).arrays) for clip in CLIPS]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """States of each forward pass of an encoder that is loaded in the test."""
    found: list[tuple[int, ...]] = []
    load = EncoderWeights.load

    def counting(weights: EncoderWeights, states: tuple[int, ...], device: torch.device) -> Encoder:
        encoder = load(weights, states, device)
        compute = encoder.hidden_states

        def hidden_states(waveforms: torch.Tensor) -> torch.Tensor:
            found.append(states)
            return compute(waveforms)

        monkeypatch.setattr(encoder, "hidden_states", hidden_states)
        return encoder

    monkeypatch.setattr(EncoderWeights, "load", counting)
    return found


@pytest.mark.parametrize("kind", list(KINDS))
def test_together_and_alone_the_bytes_are_the_same(saved: Saved, kind: str) -> None:
    """Also for the layer after which one of them alone would stop, and for the last one with its norm."""
    folder = saved(kind)[1]
    features = {
        name: _feature(folder, name, **settings)
        for name, settings in (("pooled", POOLED), ("framed", FRAMED), ("single", SINGLE))
    }
    folders = dict.fromkeys(features, folder)
    together = _arrays(folders, *features.values())
    for name, feature in features.items():
        alone = _arrays(folders, feature)
        for ours, its in zip(together, alone, strict=True):
            assert ours[name].tobytes() == its[name].tobytes()
            assert np.abs(ours[name]).max() > 0


def test_equal_weights_and_windows_need_one_pass_per_clip(
    saved: Saved, passes: list[tuple[int, ...]]
) -> None:
    folder = saved("whisper")[1]
    pooled, framed = _feature(folder, "pooled", **POOLED), _feature(folder, "framed", **FRAMED)
    _arrays({"pooled": folder, "framed": folder}, pooled, framed)
    assert passes == [(1, 2, 3)] * len(CLIPS)


def test_another_window_or_other_weights_need_their_own(saved: Saved, passes: list[tuple[int, ...]]) -> None:
    folder, other = saved("whisper")[1], saved("HuBERT base")[1]
    _arrays(
        {"clip": folder, "fixed": folder, "other": other},
        _feature(folder, "clip", **POOLED),
        _feature(folder, "fixed", window=2.0, **FRAMED),
        _feature(other, "other", **SINGLE),
    )
    assert passes == [(1, 3), (2,), (1,)] * len(CLIPS)


@pytest.mark.parametrize("kind", list(KINDS))
def test_bfloat16_is_close_to_float32(saved: Saved, kind: str) -> None:
    folder = saved(kind)[1]
    exact, rounded = (
        _arrays({"pooled": folder}, _feature(folder, "pooled", **POOLED, precision=precision))
        for precision in ("float32", "bfloat16")
    )
    for one, other in zip(exact, rounded, strict=True):
        error = np.abs(one["pooled"].astype(np.float32) - other["pooled"]).max()
        assert 0 < error < 0.03 * np.abs(one["pooled"]).max()


def test_features_of_other_precision_have_passes_of_their_own(
    saved: Saved, passes: list[tuple[int, ...]]
) -> None:
    folder = saved("whisper")[1]
    features = [
        _feature(folder, "exact", **POOLED),
        _feature(folder, "rounded", **SINGLE, precision="bfloat16"),
    ]
    _arrays(dict.fromkeys(("exact", "rounded"), folder), *features)
    assert sorted(set(passes)) == [(1,), (1, 3)]


def test_an_overflow_of_half_precision_names_the_next_step(tmp_path: Path) -> None:
    network = make_network(KINDS["whisper"])
    with torch.no_grad():
        base_of(network).get_parameter("conv2.weight").mul_(1e6)
    folder = save(network, tmp_path)
    feature = _feature(folder, "large", **SINGLE, precision="float16")
    with pytest.raises(UsageError, match=r"large of clip exceeds float16; set its precision to bfloat16"):
        _arrays({"large": folder}, feature)
