"""The audio, features and views of the five published systems, each as a recipe states it."""

import pytest

from schemas.recipe import parse_recipe
from schemas.spec import StoreSpec

SYSTEMS = {
    "cremad": (
        """
        [audio]
        sample_rate = 22050
        frames = 216
        [spectral]
        hop_length = 512
        [[features]]
        kind = "mfcc"
        [[features]]
        kind = "chroma"
        [[features]]
        kind = "mel"
        [[features]]
        kind = "zcr"
        [[features]]
        kind = "rms"
        [[views]]
        name = "noise"
        kind = "noise"
        snr_db = 20
        [[views]]
        name = "shift"
        kind = "shift"
        fraction = [-0.2, 0.2]
        [[views]]
        name = "pitch"
        kind = "pitch"
        semitones = [-2, 2]
        """,
        216,
        {"mfcc": 40, "chroma": 12, "mel": 128, "zcr": 1, "rms": 1},
    ),
    "ravdess-attention": (
        """
        [audio]
        sample_rate = 16000
        frames = 300
        normalise = "peak"
        [spectral]
        hop_length = 256
        [[features]]
        kind = "mel"
        [[views]]
        name = "stretch"
        kind = "stretch"
        factor = [0.8, 1.25]
        [[views]]
        name = "pitch"
        kind = "pitch"
        semitones = [-2, 2]
        [[views]]
        name = "noise"
        kind = "noise"
        snr_db = [10, 30]
        """,
        300,
        {"mel": 128},
    ),
    "tess-delta": (
        """
        [audio]
        sample_rate = 16000
        frames = 200
        normalise = "peak"
        [spectral]
        n_fft = 512
        hop_length = 160
        [[features]]
        kind = "mfcc"
        n_mels = 64
        [[features]]
        kind = "delta"
        [[features]]
        kind = "delta2"
        """,
        200,
        {"mfcc": 40, "delta": 40, "delta2": 40},
    ),
    "three-corpora-cnn": (
        """
        [audio]
        sample_rate = 22050
        duration_s = 4
        [[features]]
        kind = "mel"
        [[views]]
        name = "stretch1.2"
        kind = "stretch"
        factor = 1.2
        [[views]]
        name = "pitch+2"
        kind = "pitch"
        semitones = 2
        """,
        173,
        {"mel": 128},
    ),
}


def system(name: str) -> StoreSpec:
    """Specification of the store that a published system needs."""
    text, _, _ = SYSTEMS[name]
    return parse_recipe(f'name = "{name}"\nmodel = {{name = "A"}}\n{text}', name).store_spec()


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_published_systems_store_is_stated_by_a_recipe(name: str) -> None:
    _, frames, coefficients = SYSTEMS[name]
    spec = system(name)
    assert spec.frames == frames
    assert spec.coefficients == coefficients
    assert StoreSpec.model_validate_json(spec.model_dump_json()).digest == spec.digest
