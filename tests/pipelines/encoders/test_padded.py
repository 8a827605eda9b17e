"""Clips of different lengths in one padded batch have the numbers that each has alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.batch import ViewBatch
from pipelines.encoders.batches import MOST_FRAMES, padded_lengths
from pipelines.encoders.extract import EncoderExtractor
from pipelines.encoders.weights import EncoderWeights, find_weights
from schemas.encoders import EncoderSpec
from schemas.spec import AudioSpec, SpectralSpec, StoreSpec
from tests.pipelines.encoders.conftest import Saved
from tests.pipelines.encoders.saved import KINDS

CPU = torch.device("cpu")
LENGTHS = (7_000, 0, 21_000, 100, 13_531, 7_000, 8_820)
"""Samples at 22,050 Hz: also an empty place, less than a frame, two of one length, and whole frames."""
TOLERANCE = 1e-5
"""Of the largest value of a clip."""
MASKING = {"whisper", "whisper with a decoder head", "XLS-R", "HuBERT large", "WavLM large", "data2vec"}


def view_of(lengths: Sequence[int], device: torch.device = CPU) -> ViewBatch:
    waveforms = torch.zeros(len(lengths), max(lengths))
    for row, samples in enumerate(lengths):
        draw = torch.Generator().manual_seed(row)
        waveforms[row, :samples] = 0.1 * (row + 1) * torch.randn(samples, generator=draw) + 0.01
        waveforms[row, samples // 3 : samples // 2] = 0.0  # for Whisper's floor, relative to the loudest
    return ViewBatch(waveforms.to(device), tuple(lengths), (None,) * len(lengths))


def _extractor(weights: EncoderWeights, most_frames: int, **settings: object) -> EncoderExtractor:
    """Of all layers, pooled and as frames."""
    given = {"architecture": weights.architecture, "sha256": weights.sha256, **settings}
    features = [
        EncoderSpec.model_validate({"name": "pooled", **given}),
        EncoderSpec.model_validate({"name": "framed", "pooling": "frames", "stride": 3, **given}),
    ]
    spec = StoreSpec(
        audio=AudioSpec(sample_rate=22_050, duration_s=1.0),
        spectral=SpectralSpec(n_fft=512, hop_length=256),
        features=tuple(features),
    )
    return EncoderExtractor(spec, spec.encoders, weights, CPU, most_frames)


def _row_of(view: ViewBatch, row: int) -> ViewBatch:
    """One clip of a batch as a batch of its own, without padding."""
    one = slice(row, row + 1)
    return ViewBatch(view.waveforms[one, : view.lengths[row]], view.lengths[one], view.parameters[one])


def require_numbers_of_clips_alone(
    found: dict[str, torch.Tensor], alone: EncoderExtractor, view: ViewBatch, tolerance: float = TOLERANCE
) -> None:
    for row, samples in enumerate(view.lengths):
        expected = alone(_row_of(view, row)) if samples else {}
        for name, values in found.items():
            if not samples:
                assert not values[row].any()
                continue
            error = (values[row] - expected[name][0]).abs().max() / expected[name].abs().max()
            assert error <= tolerance, (name, row)
            assert torch.equal(values[row].any(dim=1), expected[name][0].any(dim=1)), "zeros after the end"


@pytest.mark.parametrize("window", ["clip", 0.5])
@pytest.mark.parametrize("kind", list(KINDS))
def test_neighbours_and_padding_do_not_matter(saved: Saved, kind: str, window: object) -> None:
    weights, view = find_weights(saved(kind)[1]), view_of(LENGTHS)
    padded, alone = (_extractor(weights, most, window=window) for most in (MOST_FRAMES, 0))
    require_numbers_of_clips_alone(padded(view), alone, view)


def test_neighbours_and_padding_do_not_matter_to_whisper_tiny(whisper_tiny: EncoderWeights) -> None:
    view = view_of(LENGTHS)
    padded, alone = (_extractor(whisper_tiny, most) for most in (MOST_FRAMES, 0))
    require_numbers_of_clips_alone(padded(view), alone, view)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_encoder_computes_clips_of_different_lengths(saved: Saved, kind: str) -> None:
    encoder = find_weights(saved(kind)[1]).load((1, 2), CPU)
    view, lengths = view_of((16_000, 9_000)), (16_000, 9_000)
    found = encoder.masked_states(view.waveforms, lengths)
    for row, samples in enumerate(lengths):
        expected = encoder.hidden_states(view.waveforms[row : row + 1, :samples])[0]
        error = (found[row, :, : expected.shape[1]] - expected).abs().max() / expected.abs().max()
        assert error <= TOLERANCE


@pytest.mark.parametrize("kind", list(KINDS))
def test_encoders_that_normalise_over_time_pad_nothing(saved: Saved, kind: str) -> None:
    found = _extractor(find_weights(saved(kind)[1]), MOST_FRAMES).batches(LENGTHS)
    assert found == ([[2, 4, 6, 0, 5, 3]] if kind in MASKING else [[0, 5], [2], [3], [4], [6]])


@pytest.mark.parametrize("kind", ["wav2vec 2.0 base", "whisper"])
def test_a_fixed_window_needs_no_mask(saved: Saved, kind: str) -> None:
    extractor = _extractor(find_weights(saved(kind)[1]), MOST_FRAMES, window=0.5)
    assert extractor.batches(LENGTHS) == [[0, 2, 3, 4, 5, 6]]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("kind", sorted(MASKING))
def test_half_precision_differs_by_its_rounding(saved: Saved, kind: str, precision: str) -> None:
    weights, view = find_weights(saved(kind)[1]), view_of(LENGTHS)
    padded = _extractor(weights, MOST_FRAMES, precision=precision)
    tolerance = 0.1 if precision == "bfloat16" else 0.0125
    require_numbers_of_clips_alone(padded(view), _extractor(weights, 0), view, tolerance)


@given(frames=st.lists(st.integers(0, 400), max_size=40), most=st.integers(1, 2000))
def test_batches_are_bounded_and_hold_every_clip_once(frames: list[int], most: int) -> None:
    found = padded_lengths(frames, most)
    assert sorted(row for rows in found for row in rows) == [row for row, count in enumerate(frames) if count]
    for rows in found:
        assert len(rows) == 1 or len(rows) * max(frames[row] for row in rows) <= most
    for rows, following in pairwise(found):
        assert (len(rows) + 1) * frames[rows[0]] > most, "room for one more"
        assert min(frames[row] for row in rows) >= max(frames[row] for row in following)
