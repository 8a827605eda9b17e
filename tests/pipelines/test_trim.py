import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.trim import trim_bounds


@settings(max_examples=60)
@given(
    lead=st.integers(0, 30_000),
    body=st.integers(1, 30_000),
    tail=st.integers(0, 30_000),
    floor=st.floats(1e-6, 0.2),
    top_db=st.sampled_from([20.0, 40.0, 60.0]),
)
def test_bounds_are_librosas(lead: int, body: int, tail: int, floor: float, top_db: float) -> None:
    rng = np.random.default_rng(lead + body)
    level = np.concatenate([np.full(lead, floor), np.ones(body), np.full(tail, floor)])
    sound = (level * rng.uniform(-0.5, 0.5, len(level))).astype(np.float32)
    _, expected = librosa.effects.trim(sound, top_db=top_db)
    assert trim_bounds(sound, top_db) == tuple(int(bound) for bound in expected)


@pytest.mark.parametrize("samples", [1, 511, 512, 2048])
def test_short_clips_are_kept_whole(samples: int) -> None:
    assert trim_bounds(np.full(samples, 0.5, np.float32), 40) == (0, samples)
