"""Sounds, their fingerprints and their differences, against librosa, scipy and plain loops."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from scipy.fft import idct

from schemas.errors import UsageError
from schemas.features import MelSpec, MfccSpec, RmsSpec
from schemas.spec import StoreSpec
from training.audits import near_duplicates
from training.audits.aligned import difference_db
from training.audits.fingerprints import _means, _pooling, fingerprint
from training.audits.near_duplicates import _Candidates
from training.audits.sounds import RANGE_DB, Sounds, SoundSource, _inverse_cosine, slaney

FRAMES_A_SECOND = 43.0


def utterance(seed: int, frames: int = 80, pause: int = 10, length: int = 130) -> np.ndarray:
    """(bands, frames) float32 dB: sound of smooth random level, then a floor."""
    generator = np.random.default_rng(seed)
    knots = generator.normal(scale=15, size=(22, frames // 5 + 2))
    times = np.arange(frames) / 5
    loud = np.array([np.interp(times, np.arange(len(row)), row) for row in np.repeat(knots, 4, axis=0)])
    out = np.full((88, length), -80.0)
    out[:, pause : pause + frames] = loud - loud.max()
    return out.astype(np.float32)


def sounds_of(*clips: np.ndarray) -> Sounds:
    stacked = np.stack(clips)
    return Sounds.of(stacked, np.full(len(clips), stacked.shape[2]))


def test_mel_scale_is_that_of_librosa() -> None:
    for hertz in (0.0, 440.0, 999.0, 1000.0, 3600.0, 11025.0):
        assert slaney(hertz) == pytest.approx(librosa.hz_to_mel(hertz), rel=1e-9)


def test_mel_comes_back_from_mfcc_as_by_scipy() -> None:
    mfcc = np.random.default_rng(0).normal(size=40)
    padded = np.concatenate([mfcc, np.zeros(88)])
    np.testing.assert_allclose(_inverse_cosine(128, 40) @ mfcc, idct(padded, norm="ortho"), atol=1e-5)


def test_mel_is_read_before_mfcc_and_something_must_be() -> None:
    def source(*features: object) -> SoundSource:
        return SoundSource.of(StoreSpec.model_construct(**{**dict(spec), "features": features}))

    spec = StoreSpec(features=(MelSpec(),))
    assert source(MfccSpec(), MelSpec()).feature == "mel"
    assert source(RmsSpec(), MfccSpec()).feature == "mfcc"
    assert source(MelSpec()).reach == pytest.approx(128 * librosa.hz_to_mel(3600) / librosa.hz_to_mel(11025))
    with pytest.raises(UsageError, match="the store holds neither; build it with one"):
        source(RmsSpec())


def test_pooling_takes_means_of_neighbours() -> None:
    weights = _pooling(88, 87.3)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(weights.sum(axis=0) * 87.3 / 16, [1] * 87 + [0.3], rtol=1e-5)
    assert (np.diff(weights.argmax(axis=1)) > 0).all()


def test_cells_are_means_between_fractions_of_frames() -> None:
    levels = np.random.default_rng(1).random((2, 3, 9)).astype(np.float32)
    edges = np.array([[-1.5, 0.25, 2.75, 6.0], [4.2, 8.9, 10.0, 12.0]])
    steps = 2000
    for clip in range(2):
        for cell in range(3):
            times = np.linspace(edges[clip, cell], edges[clip, cell + 1], steps, endpoint=False)
            frames = np.floor(times).astype(int)
            inside = (frames >= 0) & (frames < 9)
            expected = np.where(inside, levels[clip][:, np.clip(frames, 0, 8)], 0).mean(axis=1)
            np.testing.assert_allclose(_means(levels, edges)[clip, :, cell], expected, atol=2e-3)


def test_gain_and_place_do_not_matter_and_other_utterances_are_unlike() -> None:
    one = utterance(0)
    copies = [one + 17, utterance(0, pause=31), np.maximum(one, -60)]
    others = [utterance(seed) for seed in range(1, 30)]
    prints = fingerprint(sounds_of(one, *copies, *others), 87.3, 3.4)
    np.testing.assert_allclose(np.linalg.norm(prints, axis=1), 1, rtol=1e-5)
    likeness = prints[1:] @ prints[0]
    assert (likeness[:3] > 0.9999).all()
    assert (likeness[3:] < 0.6).all()


def test_clips_without_change_have_an_empty_fingerprint() -> None:
    silent = np.full((88, 50), -80, dtype=np.float32)
    prints = fingerprint(Sounds.of(silent[None], np.array([0])), 87.3, 3.4)
    assert np.isfinite(prints).all()
    assert not prints.any()


def test_levels_are_above_silence_and_padding_is_silent() -> None:
    sounds = Sounds.of(utterance(0)[None], np.array([40]))
    assert sounds.levels.min() == 0
    assert sounds.levels.max() <= RANGE_DB
    assert not sounds.levels[:, :, 40:].any()
    assert sounds.levels[:, :, 10:40].any()


def test_a_copy_differs_by_nothing_and_another_utterance_by_much() -> None:
    one = utterance(0)
    codec = one + np.random.default_rng(5).normal(scale=1, size=one.shape).astype(np.float32)
    sounds = sounds_of(one, one + 9, utterance(0, pause=25), utterance(1), codec)
    assert difference_db(sounds, 0, 1, FRAMES_A_SECOND) == pytest.approx(0, abs=1e-3)
    assert difference_db(sounds, 0, 2, FRAMES_A_SECOND) == pytest.approx(0, abs=1e-3)
    assert difference_db(sounds, 0, 3, FRAMES_A_SECOND) > 5
    assert 0.5 < difference_db(sounds, 0, 4, FRAMES_A_SECOND) < near_duplicates.SAME_DB


def test_short_sounds_are_not_judged() -> None:
    sounds = sounds_of(utterance(0, frames=15), utterance(0, frames=15, pause=40))
    assert difference_db(sounds, 0, 1, FRAMES_A_SECOND) == np.inf
    assert difference_db(sounds, 0, 1, 30.0) < 0.01


def test_of_very_many_candidates_the_most_alike_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "MOST_CANDIDATES", 10)
    candidates = _Candidates()
    generator = np.random.default_rng(0)
    products = generator.uniform(0.9, 1, (60, 50)).astype(np.float32)
    rows, columns = np.arange(60), np.arange(100, 150)
    for start in range(0, 60, 7):
        candidates.add(rows[start : start + 7], columns, products[start : start + 7], 0.95)
    best = np.argsort(-products, axis=None)[:10]
    i, j = np.unravel_index(best, products.shape)
    assert {tuple(pair) for pair in candidates.pairs()} == set(zip(rows[i], columns[j], strict=True))


def test_a_clip_is_no_pair_with_itself() -> None:
    candidates = _Candidates()
    candidates.add(np.array([1, 2]), np.array([2, 1]), np.ones((2, 2), dtype=np.float32), 0.95)
    assert candidates.pairs().tolist() == [[1, 2]]
    assert _Candidates().pairs().shape == (0, 2)
