"""What is said of a recording, against the predictor, librosa and numpy."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from schemas.errors import RecordingError
from training.explain.occlusion import occlude
from training.http.form import Upload
from training.predict.predictor import Predictor
from training.web.answer import DemoAnswer, answer
from training.web.facts import Facts
from training.web.fragments import answer_html, model_html, problem
from training.web.hearing import HeardClip, Sound
from training.web.limits import Limits

LIMITS = Limits(max_seconds=120)
RATE = 22_050


@pytest.fixture(scope="module")
def predictor(run: Path) -> Predictor:
    return Predictor.open(run, "cpu")


def speech(clips: list[Path], count: int) -> np.ndarray:
    return np.concatenate([soundfile.read(clip, dtype="float32")[0] for clip in clips[:count]])


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format="WAV", subtype="FLOAT")
    return content.getvalue()


def asked(predictor: Predictor, content: bytes, limits: Limits = LIMITS) -> DemoAnswer:
    return answer(predictor, Upload("clip.wav", content), limits)


@pytest.mark.slow
def test_a_clip_is_told_as_the_predictor_tells_it(predictor: Predictor, clips: list[Path]) -> None:
    for clip in clips[::40]:
        found = asked(predictor, clip.read_bytes())
        assert list(found.ranked) == predictor.predict(clip).ranked
        assert not found.windows


def test_the_picture_is_of_what_the_model_heard(predictor: Predictor, clips: list[Path]) -> None:
    rate = predictor.spec.audio.sample_rate
    samples = np.concatenate([np.zeros(rate // 2), speech(clips, 1), np.zeros(rate)]).astype(np.float32)
    heard = asked(predictor, wav(samples, rate)).heard
    _, (start, stop) = librosa.effects.trim(samples, top_db=predictor.spec.audio.trim_db)
    assert (heard.heard_from_s, heard.heard_to_s) == pytest.approx((start / rate, stop / rate), abs=1e-9)
    assert heard.unheard_s == 0
    stored = predictor.features(wav(samples, rate))["mel"]
    frames = 1 + (stop - start - 1) // predictor.spec.spectral.hop_length
    assert heard.feature == "mel"
    np.testing.assert_array_equal(heard.values, stored[:, :frames])


def test_sound_behind_what_the_model_hears_is_told(predictor: Predictor) -> None:
    rate = predictor.spec.audio.sample_rate
    noise = np.random.default_rng(0).normal(0, 0.1, round(3.3 * rate)).astype(np.float32)
    found = asked(predictor, wav(noise, rate))
    assert found.heard.unheard_s == pytest.approx(3.3 - predictor.window_s, abs=0.03)
    assert "Sound left out: " in answer_html(found, FACTS)


def test_a_long_recording_is_the_mean_of_its_windows_with_sound(
    predictor: Predictor, clips: list[Path]
) -> None:
    part = speech(clips, 5)
    content = wav(np.concatenate([part, np.zeros(8 * RATE, np.float32), part]))
    found = asked(predictor, content)
    windows = list(predictor.timeline(content))
    sounding = [window.probabilities for window in windows if window.probabilities is not None]
    assert 0 < found.silent == len(windows) - len(sounding)
    mean = dict(zip(predictor.emotions, np.mean(sounding, axis=0), strict=True))
    assert dict(found.ranked) == pytest.approx(mean)
    assert [share for _, share in found.ranked] == sorted(mean.values(), reverse=True)
    surest = max((w for w in windows if w.ranked), key=lambda window: window.ranked[0][1])
    assert found.heard.start_s == surest.start_s
    rate = predictor.spec.audio.sample_rate
    np.testing.assert_array_equal(
        found.heard.sound.samples,
        found.sound.samples[round(surest.start_s * rate) : round(surest.stop_s * rate)],
    )
    shown = answer_html(found, FACTS)
    assert f"mean of {len(sounding)} windows" in shown
    assert shown.count("<td>silence</td>") == found.silent


def test_a_long_recording_has_so_many_windows_and_no_more(predictor: Predictor) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 700 * 8000).astype(np.float32)
    found = asked(predictor, wav(noise, 8000), Limits(max_seconds=800))
    assert 590 <= len(found.windows) <= 601
    assert found.windows[-1].stop_s == pytest.approx(700, abs=0.01)


def flac(samples: np.ndarray, rate: int) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format="FLAC")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty file"),
        (b"RIFF and then nothing", "not readable as audio"),
        (wav(np.zeros(RATE)), "silent"),
        (wav(np.zeros(20 * RATE)), "silent"),
        (wav(np.ones(100)), "the shortest usable is"),
        (wav(np.full(RATE, np.nan)), "NaN"),
        (wav(np.zeros(121 * 8000), 8000), r"121 s long, but this page accepts at most 120 s"),
        (flac(np.zeros((110 * 44_100, 8), np.int16), 44_100), "8 channels at 44100 Hz for 110 s are too"),
    ],
)
def test_what_is_no_use_is_a_sentence(predictor: Predictor, content: bytes, sentence: str) -> None:
    with pytest.raises(RecordingError, match=sentence):
        asked(predictor, content)


def test_names_of_files_are_escaped(predictor: Predictor, clips: list[Path]) -> None:
    name = "<img src=x onerror=alert(1)>"
    found = replace(asked(predictor, clips[0].read_bytes()), name=name)
    for markup in (answer_html(found, FACTS), problem(name, "no & <b>no</b>")):
        assert name not in markup
        assert "&lt;img src=x" in markup
        assert "<b>no" not in markup


def test_a_feature_without_mel_is_shown_too(predictor: Predictor, clips: list[Path]) -> None:
    sound = Sound.of(clips[0].read_bytes(), predictor.spec, LIMITS)
    heard = HeardClip.of(predictor, sound)
    mfcc = replace(heard, feature="mfcc", values=predictor.features(clips[0])["mfcc"])
    found = replace(asked(predictor, clips[0].read_bytes()), heard=mfcc)
    assert "the feature mfcc of what it hears" in answer_html(found, FACTS)


FACTS = Facts("A", "speaker-independent (protocol: speaker)", "UA 1.0 %", None, "", ("sad",), 3.0)


@pytest.mark.slow
def test_protocol_interval_and_warning_stand_beside_the_model(run: Path, leaky_run: Path) -> None:
    facts = Facts.of(run, Predictor.open(run, "cpu"))
    assert facts.worth == "speaker-independent (protocol: speaker)"
    assert facts.ua.startswith("UA ")
    measured = json.loads((run / "metrics.json").read_text())["test"]["emotion"]
    bounds = measured["intervals"]["ua"]
    assert facts.ua == (
        f"UA {100 * measured['ua']:.1f} % (95 % interval "
        f"{100 * bounds['low']:.1f} to {100 * bounds['high']:.1f})"
    )
    assert facts.warning is None
    sentences = "Trained on 12 speakers: Synthetic demo voices. It was never trained on human speech."
    assert sentences in facts.learnt_from
    leaky = Facts.of(leaky_run, Predictor.open(leaky_run, "cpu"))
    strip = model_html(leaky)
    assert "Warning." in strip
    assert "says nothing about new speakers" in strip
    assert leaky.ua in strip
    assert "95 % interval" in leaky.ua


def test_acted_speech_is_called_so_and_other_speech_is_not(run: Path) -> None:
    predictor = Predictor.open(run, "cpu")
    for heard, found in (
        (("ravdess/01", "tess/old"), "Trained on acted speech from 2 speakers: Ryerson"),
        (("mine/a",), "Trained on speech from 1 speaker: mine (a custom corpus)."),
    ):
        other = replace(predictor, record=predictor.record.model_copy(update={"heard": heard}))
        facts = Facts.of(run, other)
        assert facts.learnt_from.startswith(found)
        assert ("actors were asked to portray" in facts.learnt_from) == ("acted" in found)
        assert "Do not use it to judge people." in facts.learnt_from


def test_what_the_model_listens_to_is_shown_if_it_is_asked_for(
    predictor: Predictor, clips: list[Path]
) -> None:
    upload = Upload("clip.wav", clips[0].read_bytes())
    found = answer(predictor, upload, LIMITS, explains=True)
    expected = occlude(predictor, clips[0])
    assert found.occlusion is not None
    np.testing.assert_allclose(found.occlusion.by_window, expected.by_window, atol=1e-5)
    assert found.occlusion.start_s == pytest.approx(found.heard.heard_from_s)
    shown = answer_html(found, FACTS)
    assert "What the model listened to" in shown
    assert f"the effect of hiding parts on {found.ranked[0][0]}" in shown
    assert "What the model listened to" not in answer_html(replace(found, occlusion=None), FACTS)
