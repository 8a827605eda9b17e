"""Views against truths that do not come from the code under test."""

import math
from dataclasses import replace

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.batch import ClipBatch, ViewBatch
from pipelines.views.compute import augment, original
from pipelines.window import window_samples
from schemas.features import MelSpec
from schemas.spec import StoreSpec
from schemas.views import NoiseSpec, PitchSpec, ShiftSpec, SpeedSpec, StretchSpec, ViewSpec
from tests.pipelines.speech import RATE, Samples, fundamental, gliding_voice, harmonics, tone
from tests.pipelines.views_of_all_kinds import DRAWN

LENGTH = 3 * RATE


def _alone(batch: ClipBatch, row: int) -> ClipBatch:
    """One clip of a batch, without padding."""
    samples = batch.lengths[row]
    return replace(
        batch,
        waveforms=batch.waveforms[row : row + 1, :samples],
        lengths=(samples,),
        clip_ids=(batch.clip_ids[row],),
        _analyses={},
    )


def _batch(*clips: Samples, window: int = LENGTH, seed: int = 0, rate: int = RATE) -> ClipBatch:
    waveforms = torch.zeros(len(clips), min(window, max(map(len, clips))))
    for row, clip in enumerate(clips):
        kept = clip[:window]
        waveforms[row, : len(kept)] = torch.from_numpy(kept)
    lengths = tuple(min(len(clip), window) for clip in clips)
    names = tuple(f"test/{row}" for row in range(len(clips)))
    return ClipBatch(waveforms, lengths, names, seed, LENGTH * rate // RATE, rate)


def _sound(view: ViewBatch, row: int = 0) -> Samples:
    """Samples of a row that hold sound; those after them must be zero."""
    assert view.waveforms.shape[1] <= LENGTH
    assert not view.waveforms[row, view.lengths[row] :].any()
    return view.waveforms[row, : view.lengths[row]].numpy()


def _cents(measured: float, expected: float) -> float:
    return abs(1200 * math.log2(measured / expected))


def test_the_original_is_the_clip() -> None:
    clip = harmonics(150, 2.0)
    assert np.array_equal(_sound(original(_batch(clip))), clip)
    assert np.array_equal(_sound(original(_batch(harmonics(150, 4.0)))), harmonics(150, 4.0)[:LENGTH])


def _realised_snr(clip: Samples, noisy: Samples) -> float:
    noise = noisy.astype(np.float64) - clip
    return float(10 * np.log10(np.square(clip.astype(np.float64)).sum() / np.square(noise).sum()))


@pytest.mark.parametrize("seconds", [0.2, 1.3, 3.0])
def test_noise_has_the_snr_that_was_drawn(seconds: float) -> None:
    clips = [harmonics(100 + 10 * i, seconds) for i in range(8)]
    view = augment(_batch(*clips), NoiseSpec(name="noise", snr_db=(5, 30)))
    for row, clip in enumerate(clips):
        drawn = view.parameters[row]
        assert drawn is not None
        assert 5 <= drawn <= 30
        assert _realised_snr(clip, _sound(view, row)) == pytest.approx(drawn, abs=0.1)
    assert len(set(view.parameters)) == len(clips)


def test_noise_is_white_and_gaussian_at_a_fixed_snr() -> None:
    clip = harmonics(150, 3.0)
    view = augment(_batch(clip), NoiseSpec(name="noise", snr_db=12.5))
    assert view.parameters == (12.5,)
    assert _realised_snr(clip, _sound(view)) == pytest.approx(12.5, abs=0.1)
    noise = _sound(view) - clip
    scaled = np.sort(noise / noise.std())
    normal = torch.distributions.Normal(0, 1).cdf(torch.from_numpy(scaled)).numpy()
    assert np.abs(normal - np.linspace(0, 1, len(normal))).max() < 0.01  # Kolmogorov and Smirnov: 1.95 / √n
    power = np.square(np.abs(np.fft.rfft(noise)))[1:]
    octaves = [power[len(power) >> (k + 1) : len(power) >> k].mean() for k in range(5)]
    assert max(octaves) / min(octaves) < 1.15


@pytest.mark.parametrize("semitones", [-7.0, -2.0, -1.0, 1.0, 2.0, 5.0, 12.0])
@pytest.mark.parametrize("f0", [90.0, 140.0, 230.0])
def test_pitch_moves_f0_by_the_semitones_and_keeps_the_length(semitones: float, f0: float) -> None:
    clip = harmonics(f0, 2.0)
    view = augment(_batch(clip), PitchSpec(name="pitch", semitones=semitones))
    moved = _sound(view)
    assert len(moved) == len(clip)
    assert _cents(fundamental(moved[8000:36_000]), f0 * 2 ** (semitones / 12)) < 5
    assert np.std(moved[8000:36_000]) == pytest.approx(np.std(clip[8000:36_000]), rel=0.15)


def test_a_drawn_pitch_moves_each_clip_by_its_own_semitones() -> None:
    clips = [harmonics(140, 1.6 + 0.1 * i) for i in range(6)]
    view = augment(_batch(*clips), PitchSpec(name="pitch", semitones=(-2, 2)))
    for row, semitones in enumerate(view.parameters):
        assert semitones is not None
        assert -2 <= semitones <= 2
        assert _cents(fundamental(_sound(view, row)[6000:30_000]), 140 * 2 ** (semitones / 12)) < 5
    assert len(set(view.parameters)) == len(clips)


@pytest.mark.parametrize("rate", [8_000, 48_000, 96_000])
@pytest.mark.parametrize("semitones", [-2.0, 2.0])
def test_pitch_holds_at_any_rate(rate: int, semitones: float) -> None:
    """A low voice: its partials must stay apart, whatever the number of samples between them."""
    clip = harmonics(80, 2.0, rate, count=20)
    batch = _batch(clip, window=2 * rate, rate=rate)
    moved = augment(batch, PitchSpec(name="pitch", semitones=semitones)).waveforms[0].numpy()
    middle = moved[rate // 2 : rate + rate // 2]
    assert _cents(fundamental(middle, rate), 80 * 2 ** (semitones / 12)) < 5
    assert np.std(middle) == pytest.approx(np.std(clip), rel=0.05)
    spectrum = np.square(np.abs(np.fft.rfft(middle * np.blackman(len(middle)))))
    frequencies = np.fft.rfftfreq(len(middle), 1 / rate)
    partial = (frequencies / (80 * 2 ** (semitones / 12)) + 0.5) % 1 - 0.5
    assert spectrum[np.abs(partial) > 0.2].sum() < 1e-3 * spectrum.sum()


def _log_mel(samples: Samples) -> np.ndarray:
    """64 bands in dB up to 5 kHz, without the edges: where the voice's partials are."""
    power = librosa.feature.melspectrogram(y=samples, sr=RATE, n_mels=64)
    decibels: np.ndarray = librosa.power_to_db(power, top_db=60)[:40]
    return decibels


F0S = (100.0, 140.0, 180.0, 220.0)


@pytest.mark.parametrize("semitones", [-5.0, -2.0, -1.0, 1.0, 2.0, 5.0])
def test_pitch_is_no_further_from_the_truth_than_librosas(semitones: float) -> None:
    """Log-mel error against the gliding harmonics generated at the target pitch, over four voices."""
    ours, librosas = [], []
    for f0 in F0S:
        clip = gliding_voice(f0, 2.0)
        truth = _log_mel(gliding_voice(f0 * 2 ** (semitones / 12), 2.0))[:, 20:60]
        moved = _sound(augment(_batch(clip), PitchSpec(name="pitch", semitones=semitones)))
        theirs = librosa.effects.pitch_shift(clip, sr=RATE, n_steps=semitones)
        ours.append(np.abs(_log_mel(moved)[:, 20:60] - truth).mean())
        librosas.append(np.abs(_log_mel(theirs)[:, 20:60] - truth).mean())
    assert np.mean(ours) <= np.mean(librosas)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.2, 1.25])
def test_stretch_is_no_further_from_the_truth_than_librosas(factor: float) -> None:
    """The truth is the gliding voice generated slower or faster."""
    ours, librosas = [], []
    for f0 in F0S:
        clip = gliding_voice(f0, 2.0)
        truth = _log_mel(gliding_voice(f0, 2.0 / factor, pace=factor))[:, 16:50]
        moved = _sound(augment(_batch(clip), StretchSpec(name="stretch", factor=factor)))
        theirs = librosa.effects.time_stretch(clip, rate=factor)
        ours.append(np.abs(_log_mel(moved)[:, 16:50] - truth).mean())
        librosas.append(np.abs(_log_mel(theirs)[:, 16:50] - truth).mean())
    assert np.mean(ours) <= np.mean(librosas)


@pytest.mark.parametrize("factor", [0.7, 0.8, 1.2, 1.25, 1.9])
def test_stretch_changes_duration_and_keeps_pitch(factor: float) -> None:
    clip = harmonics(150, 1.5)
    moved = _sound(augment(_batch(clip), StretchSpec(name="stretch", factor=factor)))
    assert len(moved) == pytest.approx(len(clip) / factor, abs=1)
    assert _cents(fundamental(moved[4000:-4000]), 150) < 2
    assert np.std(moved[4000:-4000]) == pytest.approx(np.std(clip), rel=0.12)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_speed_changes_duration_and_pitch(factor: float) -> None:
    clip = harmonics(150, 1.5, count=8)
    moved = _sound(augment(_batch(clip), SpeedSpec(name="speed", factor=factor)))
    assert len(moved) == pytest.approx(len(clip) / factor, abs=1)
    assert _cents(fundamental(moved[4000:-4000]), 150 * factor) < 1
    assert np.std(moved[4000:-4000]) == pytest.approx(np.std(clip), rel=0.02)


@pytest.mark.parametrize("kind", [SpeedSpec, StretchSpec])
def test_drawn_factors_set_each_clips_duration(kind: type[SpeedSpec | StretchSpec]) -> None:
    clips = [harmonics(140, 1.0 + 0.1 * i) for i in range(6)]
    view = augment(_batch(*clips), kind(name="drawn", factor=(0.8, 1.25)))
    for row, (clip, factor) in enumerate(zip(clips, view.parameters, strict=True)):
        assert factor is not None
        assert 0.8 <= factor <= 1.25
        assert len(_sound(view, row)) == pytest.approx(len(clip) / factor, rel=0.003)
        pitch = 140 * (factor if kind is SpeedSpec else 1)
        assert _cents(fundamental(_sound(view, row)[3000:-3000]), pitch) < 5
    assert len(set(view.parameters)) == len(clips)


@pytest.mark.parametrize("kind", [SpeedSpec, StretchSpec])
@pytest.mark.parametrize("factor", [1.25, (1.0, 1.7)])
def test_a_faster_view_reads_on_in_the_recording_instead_of_padding(
    kind: type[SpeedSpec | StretchSpec], factor: float | tuple[float, float]
) -> None:
    spec = StoreSpec(features=(MelSpec(),), views=(kind(name="fast", factor=factor),))
    window = window_samples(spec)
    assert math.ceil(LENGTH * 1.25) <= window < LENGTH * 1.75
    view = augment(_batch(*[harmonics(150, 6.0)] * 4, window=window), spec.views[0])
    assert view.lengths == (LENGTH,) * 4
    assert np.std(view.waveforms[:, -2000:].numpy()) > 0.1


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_speed_does_not_alias(factor: float) -> None:
    """A tone whose image would fold back below half the rate is gone by 60 dB."""
    frequency = 10_500.0 if factor > 1 else 9_000.0
    view = augment(_batch(tone(frequency, 2.0)), SpeedSpec(name="speed", factor=factor))
    moved = view.waveforms[0, 4000:30_000].numpy()
    spectrum = np.abs(np.fft.rfft(moved * np.blackman(len(moved)))) / (0.5 * 0.42 * len(moved) / 2)
    frequencies = np.fft.rfftfreq(len(moved), 1 / RATE)
    wanted = np.abs(frequencies - frequency * factor) < 100
    assert 20 * np.log10(spectrum[~wanted].max()) < -60


def test_pitch_does_not_fold_high_partials_back() -> None:
    moved = _sound(augment(_batch(tone(10_500, 2.0)), PitchSpec(name="up", semitones=2)))[4000:30_000]
    spectrum = np.abs(np.fft.rfft(moved * np.blackman(len(moved)))) / (0.5 * 0.42 * len(moved) / 2)
    assert 20 * np.log10(spectrum.max()) < -50


@pytest.mark.parametrize("fraction", [(-0.2, 0.2), 0.1, -0.3])
def test_shift_rotates_within_the_clip_and_loses_nothing(fraction: float | tuple[float, float]) -> None:
    clips = [harmonics(120, 1.0), harmonics(180, 2.2), harmonics(200, 3.0)]
    view = augment(_batch(*clips), ShiftSpec(name="shift", fraction=fraction))
    for row, (clip, by) in enumerate(zip(clips, view.parameters, strict=True)):
        assert by is not None
        if isinstance(fraction, tuple):
            assert abs(by) <= 0.2 * len(clip) + 1
        else:
            assert by == pytest.approx(fraction * len(clip), abs=1)
        assert np.array_equal(_sound(view, row), np.roll(clip, int(by)))


VIEWS: list[ViewSpec] = [
    NoiseSpec(name="noise", snr_db=(10, 30)),
    NoiseSpec(name="noise20", snr_db=20),
    PitchSpec(name="pitch", semitones=2),
    PitchSpec(name="pitches", semitones=(-2, 2)),
    ShiftSpec(name="shift", fraction=(-0.2, 0.2)),
    SpeedSpec(name="slow", factor=0.8),
    SpeedSpec(name="fast", factor=1.25),
    SpeedSpec(name="speeds", factor=(0.9, 1.1)),
    StretchSpec(name="stretch", factor=1.2),
    StretchSpec(name="stretches", factor=(0.8, 1.25)),
]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_another_seed_or_clip_draws_anew_and_the_same_draws_the_same(view: ViewSpec) -> None:
    clip = harmonics(150, 2.0)
    first, again, other = (augment(_batch(clip, clip, seed=seed), view) for seed in (0, 0, 1))
    assert torch.equal(first.waveforms, again.waveforms)
    drawn = any(isinstance(value, tuple) for value in view.model_dump().values())
    assert (first.parameters != other.parameters) == drawn
    assert (first.parameters[0] != first.parameters[1]) == drawn


@settings(max_examples=15)
@given(view=st.sampled_from(VIEWS), seconds=st.lists(st.floats(0.1, 3.5), min_size=1, max_size=5))
def test_a_clip_padded_in_a_batch_and_alone_give_one_view(view: ViewSpec, seconds: list[float]) -> None:
    """The batches of a GPU against the single clips of a CPU; phases at ± π may turn, so the mean counts."""
    batch = _batch(*[gliding_voice(120 + 20 * i, s) for i, s in enumerate(seconds)], window=5 * RATE)
    together = augment(batch, view)
    for row in range(len(seconds)):
        alone = augment(_alone(batch, row), view)
        assert alone.parameters[0] == together.parameters[row]
        assert alone.lengths[0] == together.lengths[row]
        assert np.abs(_sound(alone) - _sound(together, row)).mean() < 1e-3


@pytest.mark.parametrize("view", DRAWN, ids=lambda view: view.kind)
def test_a_view_of_drawn_values_does_not_depend_on_the_other_clips(view: ViewSpec) -> None:
    clips = [gliding_voice(110 + 30 * row, seconds) for row, seconds in enumerate((0.4, 1.1, 2.0))]
    batch = _batch(*clips, window=4 * RATE)
    order = [2, 0, 1]
    other = replace(
        batch,
        waveforms=batch.waveforms[order],
        lengths=tuple(batch.lengths[row] for row in order),
        clip_ids=tuple(batch.clip_ids[row] for row in order),
    )
    assert torch.equal(augment(other, view).waveforms, augment(batch, view).waveforms[order])
