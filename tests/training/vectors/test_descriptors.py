from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from training.vectors.descriptors import descriptor_count, descriptors

ROWS = {"mel": 128, "mfcc": 40, "delta": 40, "delta2": 40, "chroma": 12, "zcr": 1, "rms": 1}


def stored(rows: dict[str, int]) -> tuple[torch.Tensor, dict[str, slice]]:
    """(3, C, 20) float16 as a store has them, and where each feature is."""
    random = np.random.default_rng(1)
    parts, columns, start = [], {}, 0
    for name, height in rows.items():
        values = random.uniform(-70, 20, (3, height, 20)) if name == "mel" else random.random((3, height, 20))
        parts.append(values)
        columns[name] = slice(start, start + height)
        start += height
    return torch.from_numpy(np.concatenate(parts, 1).astype(np.float16)), columns


@pytest.mark.parametrize(
    "names",
    [
        ("mel", "mfcc", "chroma", "zcr", "rms"),
        ("mfcc",),
        ("rms", "mel"),
        ("zcr", "chroma"),
        ("mfcc", "delta", "delta2"),
    ],
)
def test_descriptors_are_as_many_as_are_counted_and_in_float32(names: tuple[str, ...]) -> None:
    x, columns = stored({name: ROWS[name] for name in names})
    found = descriptors(x, columns)
    assert found.shape == (3, descriptor_count({name: ROWS[name] for name in names}), 20)
    assert found.dtype == torch.float32


def test_the_order_of_features_in_a_store_does_not_matter() -> None:
    x, columns = stored(ROWS)
    turned = {name: columns[name] for name in reversed(columns)}
    assert torch.equal(descriptors(x, turned), descriptors(x, columns))
    assert descriptor_count({}) == 0


@pytest.mark.parametrize("bands", [8, 39, 40, 64, 512])
def test_a_mel_of_any_height_has_as_many_descriptors_as_are_counted(bands: int) -> None:
    x, columns = stored({"mel": bands})
    found = descriptors(x, columns)
    assert found.shape == (3, descriptor_count({"mel": bands}), 20)
    assert torch.isfinite(found).all()


def test_descriptors_of_mel_against_numpy() -> None:
    x, columns = stored({"mel": 128})
    found = descriptors(x, columns).double().numpy()
    mel = x.double().numpy()
    wide = mel.reshape(3, 32, 4, 20).mean(2)
    assert found[:, :32] == pytest.approx(wide, abs=1e-4)
    assert found[:, 32:72] == pytest.approx(mel[:, :40], abs=1e-6)
    weights = np.exp(mel[:, 2:34] / 6)
    centre = (weights * np.arange(32)[:, None]).sum(1) / weights.sum(1)
    assert found[:, 72] == pytest.approx(centre, abs=1e-3)
    assert found[:, 73] == pytest.approx(mel.max(1) - mel.mean(1), abs=1e-3)
    gain = np.maximum(np.diff(mel, axis=2, prepend=mel[:, :, :1]), 0).reshape(3, 32, 4, 20).mean(2)
    assert found[:, 74:106] == pytest.approx(gain, abs=1e-4)
    power = 10 ** (mel / 10)
    shares = power.cumsum(1) / power.sum(1, keepdims=True)
    roll_off = np.stack([(shares < q).sum(1) / 4 for q in (0.25, 0.5, 0.75, 0.9)], 1)
    assert found[:, 106:110] == pytest.approx(roll_off, abs=0.26), "a band more or less by rounding"
    edges = (0, 12, 30, 60, 90, 128)
    regions = np.stack([power[:, a:b].sum(1) for a, b in pairwise(edges)], 1)
    levels = 10 * np.log10(regions / power.sum(1, keepdims=True))
    assert found[:, 110:115] == pytest.approx(levels, abs=1e-2)
