"""Views against truths that do not come from the code under test."""

import math

import numpy as np
import pytest
import torch

from pipelines.batch import ClipBatch
from pipelines.views.compute import augmented, original, window_samples
from schemas.spec import MelSpec, NoiseSpec, PitchSpec, ShiftSpec, SpeedSpec, StoreSpec, ViewSpec
from tests.pipelines.speech import RATE, Samples, fundamental, gliding_voice, harmonics, tone

LENGTH = 3 * RATE


def _batch(*clips: Samples, window: int = LENGTH, seed: int = 0) -> ClipBatch:
    waveforms = torch.zeros(len(clips), window)
    for row, clip in enumerate(clips):
        kept = clip[:window]
        waveforms[row, : len(kept)] = torch.from_numpy(kept)
    lengths = torch.tensor([min(len(clip), window) for clip in clips])
    return ClipBatch(waveforms, lengths, tuple(f"test/{row}" for row in range(len(clips))), seed)


def _cents(measured: float, expected: float) -> float:
    return abs(1200 * math.log2(measured / expected))


def test_the_original_is_the_clip() -> None:
    clip = harmonics(150, 2.0)
    view = original(_batch(clip), LENGTH)
    assert np.array_equal(view.waveforms[0, : len(clip)].numpy(), clip)
    assert view.lengths.tolist() == [len(clip)]


@pytest.mark.parametrize("seconds", [0.2, 1.3, 3.0])
def test_noise_has_the_snr_that_was_drawn(seconds: float) -> None:
    clips = [harmonics(100 + 10 * i, seconds) for i in range(8)]
    view = augmented(_batch(*clips), NoiseSpec(name="noise", snr_db=(5, 30)), LENGTH)
    for clip, noisy, drawn in zip(clips, view.waveforms.numpy(), view.parameters, strict=True):
        assert drawn is not None
        assert 5 <= drawn <= 30
        noise = noisy[: len(clip)].astype(np.float64) - clip
        realised = 10 * np.log10(np.square(clip.astype(np.float64)).sum() / np.square(noise).sum())
        assert realised == pytest.approx(drawn, abs=0.01)
        assert not noisy[len(clip) :].any()
    assert len(set(view.parameters)) == len(clips)


@pytest.mark.parametrize("semitones", [-2.0, -1.0, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("f0", [90.0, 140.0, 230.0])
def test_pitch_moves_f0_by_the_semitones_and_keeps_the_length(semitones: float, f0: float) -> None:
    clip = harmonics(f0, 2.0)
    view = augmented(_batch(clip), PitchSpec(name="pitch", semitones=semitones), LENGTH)
    moved = view.waveforms[0].numpy()
    assert view.lengths.tolist() == [len(clip)]
    assert not moved[len(clip) :].any()
    assert _cents(fundamental(moved[8000:36_000]), f0 * 2 ** (semitones / 12)) < 5
    assert np.std(moved[8000:36_000]) == pytest.approx(np.std(clip[8000:36_000]), rel=0.12)


@pytest.mark.parametrize("f0", [100.0, 140.0, 220.0])
@pytest.mark.parametrize("semitones", [-2.0, 2.0])
def test_pitch_is_no_further_from_the_truth_than_librosas(semitones: float, f0: float) -> None:
    """Log-mel error against the gliding harmonics generated at the target pitch."""
    import librosa

    def log_mel(samples: Samples) -> np.ndarray:
        power = librosa.feature.melspectrogram(y=samples, sr=RATE, n_mels=64)
        decibels: np.ndarray = librosa.power_to_db(power, top_db=60)[:40, 20:60]
        return decibels

    clip = gliding_voice(f0, 2.0)
    truth = log_mel(gliding_voice(f0 * 2 ** (semitones / 12), 2.0))
    ours = augmented(_batch(clip), PitchSpec(name="pitch", semitones=semitones), LENGTH).waveforms[0]
    librosas = librosa.effects.pitch_shift(clip, sr=RATE, n_steps=semitones)
    error = np.abs(log_mel(ours.numpy()[: len(clip)]) - truth).mean()
    assert error <= np.abs(log_mel(librosas) - truth).mean()


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_speed_changes_duration_and_pitch(factor: float) -> None:
    clip = harmonics(150, 1.5)
    view = augmented(_batch(clip), SpeedSpec(name="speed", factor=factor), LENGTH)
    length = int(view.lengths[0])
    assert length == pytest.approx(len(clip) / factor, abs=1)
    moved = view.waveforms[0].numpy()
    assert not moved[length:].any()
    assert _cents(fundamental(moved[4000 : length - 4000]), 150 * factor) < 1
    assert np.std(moved[4000 : length - 4000]) == pytest.approx(np.std(clip), rel=0.02)


def test_a_faster_view_reads_on_in_the_recording_instead_of_padding() -> None:
    spec = StoreSpec(features=(MelSpec(),), views=(SpeedSpec(name="fast", factor=1.25),))
    window = window_samples(spec)
    assert window == math.ceil(LENGTH * 1.25)
    view = augmented(_batch(harmonics(150, 5.0), window=window), spec.views[0], LENGTH)
    assert view.lengths.tolist() == [LENGTH]
    assert np.std(view.waveforms[0, -2000:].numpy()) > 0.1


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_speed_does_not_alias(factor: float) -> None:
    """A tone whose image would fold back below half the rate is gone by 60 dB."""
    frequency = 10_500.0 if factor > 1 else 9_000.0
    view = augmented(_batch(tone(frequency, 2.0)), SpeedSpec(name="speed", factor=factor), LENGTH)
    moved = view.waveforms[0, 4000:30_000].numpy()
    spectrum = np.abs(np.fft.rfft(moved * np.blackman(len(moved)))) / (0.5 * 0.42 * len(moved) / 2)
    frequencies = np.fft.rfftfreq(len(moved), 1 / RATE)
    wanted = np.abs(frequencies - frequency * factor) < 100
    assert 20 * np.log10(spectrum[~wanted].max()) < -60


def test_shift_rotates_within_the_clip_and_loses_nothing() -> None:
    clips = [harmonics(120, 1.0), harmonics(180, 2.2), harmonics(200, 3.0)]
    view = augmented(_batch(*clips), ShiftSpec(name="shift", fraction=0.2), LENGTH)
    for clip, moved, by in zip(clips, view.waveforms.numpy(), view.parameters, strict=True):
        assert by is not None
        assert abs(by) <= 0.2 * len(clip) + 1
        assert np.array_equal(moved[: len(clip)], np.roll(clip, int(by)))
        assert not moved[len(clip) :].any()


VIEWS: list[ViewSpec] = [
    NoiseSpec(name="noise", snr_db=(10, 30)),
    PitchSpec(name="pitch", semitones=2),
    ShiftSpec(name="shift", fraction=0.2),
    SpeedSpec(name="slow", factor=0.8),
    SpeedSpec(name="fast", factor=1.25),
]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_another_seed_or_clip_draws_anew_and_the_same_draws_the_same(view: ViewSpec) -> None:
    clip = harmonics(150, 2.0)
    first, again, other = (augmented(_batch(clip, clip, seed=seed), view, LENGTH) for seed in (0, 0, 1))
    assert torch.equal(first.waveforms, again.waveforms)
    drawn = isinstance(view, NoiseSpec | ShiftSpec)
    assert (first.parameters != other.parameters) == drawn
    assert (first.parameters[0] != first.parameters[1]) == drawn
