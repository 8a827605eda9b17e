import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipelines.random_stream import (
    NOISE_START,
    StreamKey,
    _words,
    key_words,
    normal,
    random_word,
    stream_key,
    uniform,
)

words = st.integers(0, 2**64 - 1)


def on_device(*keys: StreamKey) -> torch.Tensor:
    return torch.from_numpy(key_words(keys))


def test_first_outputs_are_the_published_ones_of_splitmix64() -> None:
    # Seed 1234567: the reference values that implementations of SplitMix64 are checked against.
    key = StreamKey(1234567, 0)
    assert [random_word(key, i) for i in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@given(k0=words, k1=words)
def test_tensors_hold_the_same_words_as_exact_integers(k0: int, k1: int) -> None:
    key = StreamKey(k0, k1)
    tensor = _words(on_device(key), 5)[0].numpy().view(np.uint64)
    assert tensor.tolist() == [random_word(key, NOISE_START + i) for i in range(5)]


def test_noise_is_standard_normal_and_white() -> None:
    noise = normal(on_device(stream_key(0, "ravdess/03", "noise")), 66_150)[0].numpy()
    assert stats.kstest(noise, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 0.02


def test_streams_of_two_clips_views_or_seeds_are_unrelated() -> None:
    keys = [
        stream_key(0, "a", "noise"),
        stream_key(0, "b", "noise"),
        stream_key(0, "a", "n"),
        stream_key(1, "a", "noise"),
    ]
    correlation = np.corrcoef(normal(on_device(*keys), 20_000).numpy())
    assert np.abs(correlation - np.eye(4)).max() < 0.04


def test_noise_of_a_clip_does_not_depend_on_its_neighbours() -> None:
    key, other = stream_key(0, "a", "noise"), stream_key(0, "b", "noise")
    alone = normal(on_device(key), 1001)
    assert torch.equal(normal(on_device(other, key), 1001)[1], alone[0])


@given(key=st.builds(StreamKey, words, words), low=st.floats(-50, 50), width=st.floats(0, 50))
def test_uniform_stays_in_its_range(key: StreamKey, low: float, width: float) -> None:
    assert low <= uniform(key, 0, low, low + width) <= low + width


def test_key_is_blake2b_of_seed_clip_and_view() -> None:
    import hashlib

    expected = hashlib.blake2b(b"7\ntess/OAF_back_angry\nshift", digest_size=16).hexdigest()
    assert stream_key(7, "tess/OAF_back_angry", "shift").hex == expected
