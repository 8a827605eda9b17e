"""The view before trimming, against the file as soundfile, soxr and librosa read it."""

import io

import librosa
import numpy as np
import pytest
import soundfile
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.decode import Recording, decode
from pipelines.pipeline import Pipeline
from pipelines.window import untrimmed_samples, window_samples
from schemas.features import MelSpec, RmsSpec
from schemas.spec import AudioSpec, SpectralSpec, StoreSpec
from schemas.views import SpeedSpec, UntrimmedSpec, ViewSpec
from tests.pipelines.speech import Samples, encoded, harmonics

RATE, FILE_RATE = 16_000, 22_050
CPU = torch.device("cpu")
VIEW = UntrimmedSpec(name="untrimmed")


def _spec(*views: ViewSpec, seconds: float = 1.0, **audio: object) -> StoreSpec:
    return StoreSpec(
        audio=AudioSpec(sample_rate=RATE, duration_s=seconds, **{"trim_db": 30.0, **audio}),  # type: ignore[arg-type]
        spectral=SpectralSpec(n_fft=512, hop_length=160),
        features=(MelSpec(n_mels=24), RmsSpec()),
        views=views,
    )


def _quiet(seconds: float, level: float = 1e-3) -> Samples:
    """Noise 50 dB below the voice."""
    return np.random.default_rng(3).normal(0, level, round(seconds * FILE_RATE)).astype(np.float32)


def _between(before_s: float, voice_s: float, after_s: float) -> bytes:
    """A file with a voice between quiet parts."""
    parts = (_quiet(before_s), harmonics(180, voice_s, FILE_RATE), _quiet(after_s))
    return encoded(np.concatenate(parts), FILE_RATE)


def _reference(file: bytes) -> Samples:
    """The file at the rate of the specification, nothing removed."""
    samples, rate = soundfile.read(io.BytesIO(file), dtype="float32")
    return np.asarray(soxr.resample(samples, rate, RATE, quality="HQ"))


class TestWaveform:
    @pytest.mark.parametrize("normalise", ["none", "peak"])
    def test_it_is_the_resampled_file_at_the_scale_of_the_original(self, normalise: str) -> None:
        file = _between(0.3, 0.5, 0.2)
        found = decode(file, _spec(VIEW, normalise=normalise).audio)
        whole = _reference(file)
        trimmed, _ = librosa.effects.trim(whole, top_db=30.0)
        scale = np.abs(trimmed).max() if normalise == "peak" else 1.0
        assert np.array_equal(found.untrimmed, whole / scale)
        assert np.array_equal(found.samples, trimmed / scale)

    def test_a_click_that_trimming_removes_does_not_change_the_scale(self) -> None:
        samples = np.concatenate(
            [_quiet(0.5, 1e-4), 0.05 * harmonics(180, 1.0, FILE_RATE), _quiet(0.2, 1e-4)]
        )
        samples[2000] = 0.09  # louder than any sample of the voice, in a quiet frame
        found = decode(encoded(samples, FILE_RATE), _spec(VIEW, trim_db=6.0, normalise="peak").audio)
        assert np.abs(found.samples).max() == 1
        assert np.abs(found.untrimmed).max() > 1

    def test_both_waveforms_lie_in_the_same_memory(self) -> None:
        found = decode(_between(0.3, 0.5, 0.2), _spec(VIEW).audio)
        assert np.shares_memory(found.samples, found.untrimmed)

    @settings(max_examples=20, deadline=None)
    @given(
        before=st.floats(0.0, 0.3),
        voice=st.floats(0.1, 0.4),
        after=st.floats(0.0, 0.3),
        normalise=st.sampled_from(["none", "peak"]),
    )
    def test_the_original_is_a_contiguous_part_of_it(
        self, before: float, voice: float, after: float, normalise: str
    ) -> None:
        found = decode(_between(before, voice, after), _spec(VIEW, normalise=normalise).audio)
        assert len(found.untrimmed) <= RATE
        parts = np.lib.stride_tricks.sliding_window_view(found.untrimmed, len(found.samples))
        assert any(np.array_equal(part, found.samples) for part in parts[::512])


def _compute(spec: StoreSpec, *recordings: Recording) -> tuple[list[str], list[Samples], list[Samples]]:
    names = [f"test/{row}" for row in range(len(recordings))]
    return names, [each.samples for each in recordings], [each.untrimmed for each in recordings]


class TestPipeline:
    @pytest.mark.parametrize("parts", [(0.2, 0.4, 0.1), (0.5, 1.0, 0.5), (1.2, 0.5, 0.0)])
    def test_its_features_are_those_of_the_recording_in_a_store_without_trimming(
        self, parts: tuple[float, float, float]
    ) -> None:
        """Shorter than the window, longer, and with the voice behind its end."""
        file = _between(*parts)
        spec, plain = _spec(VIEW), _spec(trim_db=None)
        found = Pipeline(spec, CPU)(*_compute(spec, decode(file, spec.audio)))
        wanted = Pipeline(plain, CPU)(["test/0"], [decode(file, plain.audio).samples])
        whole = _reference(file)
        assert found.samples[1, 0] == wanted.samples[0, 0] == min(len(whole), spec.length)
        assert found.valid_frames[1, 0] == wanted.valid_frames[0, 0]
        assert np.isnan(found.parameters[1, 0])
        for name, array in found.arrays.items():
            assert np.array_equal(array[1], wanted.arrays[name][0])

    def test_other_views_have_the_numbers_that_they_have_without_it(self) -> None:
        fast = SpeedSpec(name="fast", factor=1.5)
        recording = decode(_between(0.4, 1.8, 0.2), _spec().audio)
        without = Pipeline(_spec(fast), CPU)(*_compute(_spec(), recording))
        beside = Pipeline(_spec(fast, VIEW), CPU)(*_compute(_spec(), recording))
        for name, array in without.arrays.items():
            assert np.array_equal(array, beside.arrays[name][:2])

    def test_a_padded_batch_and_single_clips_agree(self) -> None:
        spec = _spec(VIEW)
        recordings = [decode(_between(*parts), spec.audio) for parts in ((0.2, 0.4, 0.1), (0.9, 0.6, 0.3))]
        alone = Pipeline(spec, CPU)
        batched = Pipeline(spec, CPU)
        batched.clips_at_once = 4
        together = batched(*_compute(spec, *recordings))
        for row, recording in enumerate(recordings):
            one = alone(*_compute(spec, recording))
            assert np.array_equal(one.samples[:, 0], together.samples[:, row])
            for name, array in one.arrays.items():
                difference = array[:, 0].astype(np.float32) - together.arrays[name][:, row].astype(np.float32)
                assert np.abs(difference).mean() < 1e-2

    def test_a_pipeline_that_needs_it_refuses_clips_without_it(self) -> None:
        recording = decode(_between(0.2, 0.4, 0.1), _spec().audio)
        with pytest.raises(ValueError, match="expected 1 clips before trimming, got 0"):
            Pipeline(_spec(VIEW), CPU)(["test/0"], [recording.samples])


def test_it_is_cut_at_the_fixed_length_however_far_other_views_read() -> None:
    spec = _spec(VIEW, SpeedSpec(name="fast", factor=1.5))
    assert (untrimmed_samples(spec), window_samples(spec)) == (RATE, 1.5 * RATE)
    assert untrimmed_samples(_spec(SpeedSpec(name="fast", factor=1.5))) == 0


def test_a_store_without_trimming_refuses_it() -> None:
    with pytest.raises(
        ValueError, match=r"view untrimmed would equal the original, as audio\.trim_db is null"
    ):
        _spec(VIEW, trim_db=None)
