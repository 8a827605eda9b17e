"""The tuning of voices on both ways, against librosa's."""

import librosa
import numpy as np
import numpy.typing as npt
import pytest
import torch

from pipelines.constants import hann_window
from pipelines.features.padding import pad_waveforms
from pipelines.features.spectrum import Spectra, power_spectra
from pipelines.features.tuning import TUNING_STEPS, TuningEstimator
from tests.pipelines.speech import RATE, gliding_voice, harmonics
from tests.pretended_cuda.pretend import pretend_cuda

N_FFT, HOP, SAMPLES = 2048, 512, 22_050
FRAMES = 1 + SAMPLES // HOP


def _waveforms() -> torch.Tensor:
    """Steady voices of many tunings, gliding ones, noise, a click, and silence."""
    rng = np.random.default_rng(0)
    click = np.zeros(SAMPLES, np.float32)
    click[SAMPLES // 2] = 0.5
    sounds: list[npt.NDArray[np.floating]] = [
        *(harmonics(110 * 2 ** (cents / 1200), 1.0) for cents in range(-60, 61, 12)),
        *(gliding_voice(90 + 25 * row, 1.0) for row in range(8)),
        *(rng.normal(0, 0.1, SAMPLES) for _ in range(4)),
        click,
        np.zeros(SAMPLES),
    ]
    return torch.from_numpy(np.stack(sounds).astype(np.float32))


@pytest.fixture(scope="module")
def spectra() -> Spectra:
    padded = pad_waveforms([_waveforms()], N_FFT, HOP, FRAMES)
    return power_spectra(padded, hann_window(N_FFT, torch.device("cpu")))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.filterwarnings("ignore:Trying to estimate tuning from empty frequency set")
def test_every_waveform_has_librosas_tuning(device: str, spectra: Spectra) -> None:
    """On a GPU, no shape depends on numbers: the method is the same, the way is not."""
    with pretend_cuda():
        there = Spectra(spectra.power.to(device), spectra.counts, spectra.frames)
        found = TuningEstimator(RATE, N_FFT, 12, torch.device(device))(there).cpu().numpy()
    powers = spectra.power.view(len(spectra.counts), FRAMES, -1).numpy()
    wanted = [librosa.estimate_tuning(S=power.T, sr=RATE, n_fft=N_FFT) for power in powers]
    assert np.allclose(found / TUNING_STEPS - 0.5, wanted)
    assert len(set(found.tolist())) > 8


def test_a_cpu_votes_in_the_precision_of_a_gpu() -> None:
    """Both compute in float32: in float64, some peaks on the edge of a step would vote for its neighbour."""
    generator = torch.Generator().manual_seed(0)
    power = torch.rand(3000 * 4, 1 + N_FFT // 2, generator=generator).square_()
    estimate = TuningEstimator(RATE, N_FFT, 12, torch.device("cpu"))
    found = estimate(Spectra(power, (4,) * 3000, 4))
    assert torch.equal(found, estimate._estimate_dense(power.view(3000, 4, -1)))
