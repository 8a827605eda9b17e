"""``ser-predict --segment``: a row per segment of speech, with the numbers of the file cut there."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipelines import speech
from pipelines.decode import UnusableRecordingError
from pipelines.speech import SpeechDetector
from tests.pauses import RATE, PausedSpeech, speak_with_pauses
from tests.training.predict.test_predict import called, trained
from training.predict.ensemble import Ensemble
from training.predict.predictor import Predictor


@pytest.fixture(scope="module")
def run(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(demo_store, tmp_path_factory.mktemp("speech"), "functionals").folder.path


@pytest.fixture(scope="module")
def spoken(small_demo: Path) -> PausedSpeech:
    return speak_with_pauses(small_demo)


@pytest.fixture(scope="module")
def talk(spoken: PausedSpeech, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The voices of ``spoken`` in stereo."""
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(path, np.stack([spoken.samples, spoken.samples // 2], axis=1), RATE, "PCM_16")
    return path


def test_segments_have_the_numbers_of_files_cut_by_soundfile(
    run: Path, talk: Path, spoken: PausedSpeech, tmp_path: Path
) -> None:
    pytest.importorskip("silero_vad")
    model = Ensemble.open([run], "cpu")
    found = list(model.predict_speech(talk, SpeechDetector.open()))
    np.testing.assert_allclose([(p.start_s, p.stop_s) for p in found], spoken.spans, atol=0.15)
    for number, prediction in enumerate(found):
        start, stop = round(prediction.start_s * RATE), round(prediction.stop_s * RATE)
        part, _ = soundfile.read(talk, start=start, stop=stop, dtype="int16")
        file = tmp_path / f"{number}.wav"
        soundfile.write(file, part, RATE, "PCM_16")
        expected = model.predict(file)
        np.testing.assert_array_equal(prediction.probabilities, expected.probabilities)
        assert prediction.unheard_s == expected.unheard_s


def test_sound_that_the_model_does_not_hear_is_counted(run: Path, talk: Path) -> None:
    predictor = Predictor.open(run, "cpu")
    (whole, short) = predictor.predict_segments(talk, [(0.0, 7.0), (7.5, 9.0)])
    assert whole.unheard_s > 1.0
    assert short.unheard_s == 0.0


def test_a_part_that_a_store_would_refuse_is_refused(run: Path, talk: Path) -> None:
    predictor = Predictor.open(run, "cpu")
    with pytest.raises(UnusableRecordingError, match=r"the shortest usable is 0.1 s$"):
        list(predictor.predict_segments(talk, [(2.0, 2.05)]))


def test_text_csv_and_json_agree_and_leave_out_silence(run: Path, talk: Path, spoken: PausedSpeech) -> None:
    pytest.importorskip("silero_vad")
    status, text, _ = called(run, talk, "--segment", "silero")
    assert status == 0
    assert len(text.splitlines()) == 1 + len(spoken.spans)
    assert "silence" not in text
    _, table, _ = called(run, talk, "--segment", "silero", "--csv")
    rows = list(csv.DictReader(io.StringIO(table)))
    _, document, _ = called(run, talk, "--segment", "silero", "--json")
    (clip,) = json.loads(document)["clips"]
    assert [(float(row["start_s"]), float(row["stop_s"]), row["emotion"]) for row in rows] == [
        (each["start_s"], each["stop_s"], each["emotion"]) for each in clip["predictions"]
    ]


def test_a_recording_from_standard_input(run: Path, talk: Path, spoken: PausedSpeech) -> None:
    pytest.importorskip("silero_vad")
    status, table, _ = called(run, "-", "--segment", "silero", "--csv", stdin=talk.read_bytes())
    assert (status, len(table.splitlines())) == (0, 1 + len(spoken.spans))


def test_a_recording_without_speech_has_no_rows_and_a_note(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("silero_vad")
    file = tmp_path / "tone.wav"
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE), RATE)
    status, document, err = called(run, file, "--segment", "silero", "--json")
    (clip,) = json.loads(document)["clips"]
    assert (status, clip["predictions"], clip["problem"]) == (0, [], "no speech found by Silero VAD")
    assert f"{file}: no speech found by Silero VAD" in err.replace("\n", " ")


def test_an_unusable_recording_is_reported(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("silero_vad")
    file = tmp_path / "short.wav"
    soundfile.write(file, np.full(800, 0.1), RATE)
    status, out, err = called(run, file, "--segment", "silero")
    assert (status, out) == (1, "")
    assert "the shortest usable is 0.1 s\n" in err


def test_windows_are_those_of_window_and_step(run: Path, talk: Path) -> None:
    expected = called(run, talk, "--window", "2", "--step", "1.5", "--csv")
    assert called(run, talk, "--segment", "2,1.5", "--csv") == expected
    assert called(run, talk, "--segment", "2", "--csv") == called(
        run, talk, "--window", "2", "--step", "2", "--csv"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("talk.wav", "--segment", "3", "--window", "2"), "--segment 3 and --window both cut recordings"),
        (("talk.wav", "--segment", "3", "--step", "2"), "--segment 3 and --step both cut recordings"),
        (("--microphone", "--segment", "3"), "--segment 3 is for recordings"),
        (("talk.wav", "--segment", "speech"), "--segment speech is neither silero nor seconds"),
    ],
)
def test_options_that_do_not_fit_are_refused(run: Path, options: tuple[str, ...], words: str) -> None:
    status, out, err = called(run, *options)
    assert (status, out) == (2, "")
    assert words in err.replace("\n", " ")


def test_a_missing_package_is_named_before_the_model_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "find_spec", lambda name: None)
    status, out, err = called("no-run", "talk.wav", "--segment", "silero")
    assert (status, out) == (2, "")
    assert "pip install 'ser-features[vad]'" in err.replace("\n", " ")
