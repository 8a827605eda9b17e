"""Functionals of openSMILE in the pipeline, against the package alone."""

from __future__ import annotations

import numpy as np
import opensmile
import pytest
import torch

from pipelines.batch import ViewBatch
from pipelines.opensmile import LARGEST, SHORTEST_S, OpenSmileExtractor, complete
from pipelines.pipeline import Pipeline
from schemas.errors import UsageError
from schemas.features import RmsSpec
from schemas.opensmile import FEATURE_SETS, OpenSmileSpec
from schemas.spec import AudioSpec, SpectralSpec, StorageSpec, StoreSpec
from schemas.views import SpeedSpec
from tests.pipelines.speech import Samples, harmonics

RATE = 16_000
EGEMAPS = OpenSmileSpec(name="egemaps")


def _package(name: str, samples: Samples) -> Samples:
    """What the package gives for a waveform."""
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet[FEATURE_SETS[name]],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    return smile.process_signal(samples, RATE).to_numpy()[0]


def _view(*waveforms: Samples) -> ViewBatch:
    """A batch, padded with zeros."""
    longest = max(map(len, waveforms))
    padded = torch.from_numpy(np.stack([np.pad(one, (0, longest - len(one))) for one in waveforms]))
    return ViewBatch(padded, tuple(map(len, waveforms)), (None,) * len(waveforms))


@pytest.mark.parametrize("name", list(FEATURE_SETS))
def test_values_are_those_of_the_package(name: str) -> None:
    voices = [harmonics(180, 0.7, RATE), harmonics(120, 0.4, RATE)]
    feature = complete(OpenSmileSpec.model_validate({"name": name}))
    found = OpenSmileExtractor(feature, RATE)(_view(*voices)).numpy()
    assert found.shape == (2, 1, len(feature.columns or ()))
    for row, voice in enumerate(voices):
        assert np.array_equal(found[row, 0], _package(name, voice))


def test_names_are_those_of_the_published_set() -> None:
    feature = complete(EGEMAPS)
    assert feature.coefficients == 88  # Eyben et al. 2016
    assert (feature.columns or ())[0] == "F0semitoneFrom27.5Hz_sma3nz_amean"
    assert complete(OpenSmileSpec(name="compare")).coefficients == 6373  # Schuller et al. 2016


def test_short_and_absent_clips_have_finite_values() -> None:
    found = OpenSmileExtractor(complete(EGEMAPS), RATE)(
        _view(harmonics(180, 0.02, RATE), np.zeros(0, np.float32))
    )
    padded = np.pad(harmonics(180, 0.02, RATE), (0, round((SHORTEST_S - 0.02) * RATE)))
    assert np.array_equal(found[0, 0].numpy(), _package("egemaps", padded))
    assert not found[1].any()


def test_loud_samples_do_not_wrap_around() -> None:
    voice = harmonics(180, 0.5, RATE)
    loud = np.asarray(voice / np.abs(voice).max() * 1.5, np.float32)
    found = OpenSmileExtractor(complete(EGEMAPS), RATE)(_view(loud))[0, 0].numpy()
    assert np.array_equal(found, _package("egemaps", np.clip(loud, -1.0, np.float32(LARGEST))))
    assert not np.array_equal(found, _package("egemaps", loud))


def test_another_version_is_refused() -> None:
    feature = complete(EGEMAPS).model_copy(update={"version": "0.0.1"})
    with pytest.raises(UsageError, match=r"pip install opensmile==0\.0\.1"):
        OpenSmileExtractor(feature, RATE)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.opensmile.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"ser-features\[opensmile\].*research"):
        complete(EGEMAPS)


def test_each_view_has_its_own_values() -> None:
    spec = StoreSpec(
        audio=AudioSpec(sample_rate=RATE, duration_s=1.0),
        spectral=SpectralSpec(n_fft=512, hop_length=160),
        features=(RmsSpec(), complete(EGEMAPS)),
        views=(SpeedSpec(name="faster", factor=1.25),),
        storage=StorageSpec(dtype="float32"),
    )
    voices = [harmonics(180, 0.9, RATE), harmonics(250, 0.6, RATE)]
    batch = Pipeline(spec, torch.device("cpu"))(["a", "b"], voices)
    values = batch.arrays["egemaps"]
    assert values.shape == (2, 2, 88, 1)
    for row, voice in enumerate(voices):
        assert np.array_equal(values[0, row, :, 0], _package("egemaps", voice))
        pitch = values[:, row, 0, 0]
        assert pitch[1] - pitch[0] == pytest.approx(12 * np.log2(1.25), abs=0.3)  # semitones
