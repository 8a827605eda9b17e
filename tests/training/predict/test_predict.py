"""Recordings through a trained model, from Python and by ``ser-predict``."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from featurestore.store import FeatureStore
from pipelines.decode import UnusableRecordingError
from schemas.errors import RunError, UsageError
from schemas.overrides import override
from schemas.recipe import load_recipe
from training.cli.commands.predict import app
from training.predict.predictor import Predictor
from training.report.result import RunResult
from training.runs.request import Hardware, TrainRequest
from training.train import train

CHANGES = ("datasets=null", "train.views=[0]", "train.epochs=1")
MODELS = {
    "A": ("four-corpora-a", ()),
    "functionals": ("four-corpora-c", ("model.name=functionals",)),
    "functionals-lda": ("four-corpora-c", ("model.name=functionals-lda",)),
    "functionals-mlp": (
        "four-corpora-c",
        ("model.name=functionals-mlp", "input.representation=functionals"),
    ),
}


def trained(store: Path, out: Path, model: str, *changes: str) -> RunResult:
    recipe, own = MODELS[model]
    request = TrainRequest(
        store=store,
        recipe=override(load_recipe(recipe), [*CHANGES, *own, *changes]),
        output=out,
        hardware=Hardware("cpu"),
    )
    return train(request)


@pytest.fixture(scope="module", params=MODELS)
def run(
    request: pytest.FixtureRequest, demo_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunResult:
    return trained(demo_store, tmp_path_factory.mktemp("runs"), request.param)


@pytest.fixture(scope="module")
def model_a(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return trained(demo_store, tmp_path_factory.mktemp("a"), "A")


def recording(demo: Path, store: FeatureStore, clip_id: str) -> Path:
    row = store.manifest.set_index("clip_id").loc[clip_id]
    return Path(demo / "demo" / str(row["path"]))


def test_features_are_those_of_the_store_to_the_last_bit(
    model_a: RunResult, demo_store: Path, small_demo: Path
) -> None:
    predictor, store = Predictor.open(model_a.folder.path, "cpu"), FeatureStore.open(demo_store)
    for position in (0, 17, 63, 111):
        clip_id = store.manifest["clip_id"].iloc[position]
        found = predictor.features(recording(small_demo, store, clip_id))
        stored = store.read([position], (0,), predictor.record.features)
        assert {*found} == {*predictor.record.features}
        for name, values in found.items():
            assert values.dtype == stored[name].dtype
            assert values.tobytes() == stored[name][0, 0].tobytes()


def test_a_recording_is_told_as_the_clip_of_the_store_was(
    run: RunResult, demo_store: Path, small_demo: Path
) -> None:
    predictor, store = Predictor.open(run.folder.path, "cpu"), FeatureStore.open(demo_store)
    known = run.predictions
    assert known is not None
    for i in range(0, len(known), 3):
        found = predictor.predict(recording(small_demo, store, known.clip_id[i]))
        expected = known.probabilities[i].astype(np.float64)
        if len(expected) > len(predictor.emotions):  # gender × emotion: female, then male
            expected = expected.reshape(2, -1).sum(axis=0)
        np.testing.assert_allclose(found.probabilities, expected, atol=2e-5)
        assert found.ranked[0] == (
            predictor.emotions[int(expected.argmax())],
            pytest.approx(expected.max(), abs=2e-5),
        )


@pytest.fixture(scope="module")
def long_recording(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """7.5 s at 16 kHz: 4.4 s of speech, then 3.1 s of silence."""
    path = tmp_path_factory.mktemp("long") / "long.wav"
    speech = []
    for source in sorted((small_demo / "demo").rglob("*.wav"))[:6]:
        samples, rate = soundfile.read(source, dtype="float32")
        speech.append(samples[:: max(1, rate // 16_000)])
    soundfile.write(path, np.concatenate([np.concatenate(speech)[:70_400], np.zeros(49_600)]), 16_000)
    return path


def test_windows_are_treated_as_clips(model_a: RunResult, long_recording: Path, tmp_path: Path) -> None:
    predictor = Predictor.open(model_a.folder.path, "cpu")
    found = list(predictor.timeline(long_recording, 2.0, 1.5))
    spans = [(row.start_s, row.stop_s) for row in found]
    expected = [(0, 2), (1.5, 3.5), (3, 5), (4.5, 6.5), (5.5, 7.5)]
    np.testing.assert_allclose(spans, expected, atol=1e-3)
    assert [bool(row.ranked) for row in found] == [True, True, True, False, False]
    # Cut out at a rate that needs no resampling, a window is that very clip.
    rate = predictor.spec.audio.sample_rate
    samples = np.random.default_rng(0).normal(0, 0.1, 4 * rate).astype(np.float32)
    whole, part = tmp_path / "whole.wav", tmp_path / "part.wav"
    soundfile.write(whole, samples, rate, subtype="FLOAT")
    soundfile.write(part, samples[rate : 3 * rate], rate, subtype="FLOAT")
    window = list(predictor.timeline(whole, 2.0, 1.0))[1]
    np.testing.assert_allclose(window.probabilities, predictor.predict(part).probabilities, atol=1e-6)


def test_a_recording_shorter_than_a_window_is_one(model_a: RunResult, tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 8000), 16_000)
    predictor = Predictor.open(model_a.folder.path, "cpu")
    (only,) = predictor.timeline(path)
    assert (only.start_s, only.stop_s) == pytest.approx((0, 0.5), abs=1e-3)


def test_senseless_windows_and_bad_files_are_sentences(model_a: RunResult, tmp_path: Path) -> None:
    predictor = Predictor.open(model_a.folder.path, "cpu")
    for window, step in ((9.0, 1.0), (0.01, 1.0), (2.0, 0.0)):
        with pytest.raises(UsageError, match=r"--window|is out of range"):
            predictor.timeline(tmp_path / "x.wav", window, step)
    with pytest.raises(UnusableRecordingError, match="not readable as audio"):
        predictor.predict(b"no audio at all")


def test_a_model_normalised_by_speaker_does_not_tell_single_clips(demo_store: Path, tmp_path: Path) -> None:
    by_speaker = trained(demo_store, tmp_path, "functionals-mlp", "input.normalise=speaker")
    with pytest.raises(RunError, match="was normalised by speaker and cannot predict single clips"):
        Predictor.open(by_speaker.folder.path, "cpu")


def called(*options: object, stdin: bytes = b"") -> tuple[int, str, str]:
    """Exit status, standard output and error of ``ser-predict``, in this process."""
    done = CliRunner().invoke(app, list(map(str, options)), input=stdin)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def test_the_command_prints_a_row_a_clip_and_goes_on_past_bad_files(
    model_a: RunResult, small_demo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for source in sorted((small_demo / "demo").rglob("*.wav"))[:2]:
        shutil.copyfile(source, folder / source.name)
    (folder / "broken.wav").write_bytes(b"RIFF")
    (folder / "notes.txt").write_text("no recording")
    status, out, err = called(model_a.folder.path, folder, tmp_path / "gone.wav")
    assert status == 1
    header, *rows = out.splitlines()
    assert header.split() == ["from", "to", "emotion", "probability", "runner-up", "clip"]
    assert [Path(row.split()[-1]).name for row in rows] == sorted(
        path.name for path in folder.iterdir() if path.suffix == ".wav" and path.name != "broken.wav"
    )
    assert "broken.wav: not readable as audio" in err
    assert "gone.wav: cannot be read: No such file or directory" in err
    assert err.splitlines()[-1] == "2 of 4 recordings could not be read"
    assert "Traceback" not in err


def test_what_never_ends_is_refused_at_once_and_doubts_are_noted(
    model_a: RunResult, small_demo: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    whole = next((small_demo / "demo").rglob("*.wav")).read_bytes()
    (tmp_path / "unset.wav").write_bytes(whole[:40] + bytes(4) + whole[44:])
    status, out, err = called(model_a.folder.path, tmp_path / "pipe.wav", "/dev/zero", tmp_path / "unset.wav")
    assert status == 1
    assert "pipe.wav: cannot be read: it is a named pipe, not a file" in err
    assert "/dev/zero: cannot be read: it is a device, not a file" in err
    assert "unset.wav: the header announces 0 bytes of samples, the file holds" in err
    assert out.splitlines()[-1].endswith("unset.wav")


def test_json_and_csv_hold_the_same_probabilities(model_a: RunResult, long_recording: Path) -> None:
    options = (model_a.folder.path, "-", "--window", "2", "--step", "1.5")
    status, text, _ = called(*options, "--json", stdin=long_recording.read_bytes())
    assert status == 0
    values = json.loads(text)
    (clip,) = values["clips"]
    assert (values["format"], clip["clip"], clip["problem"]) == (1, "-", None)
    status, text, _ = called(*options, "--csv", stdin=long_recording.read_bytes())
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(clip["predictions"]) == 5
    for row, prediction in zip(rows, clip["predictions"], strict=True):
        assert float(row["stop_s"]) == pytest.approx(prediction["stop_s"], abs=1e-3)
        if prediction["probabilities"] is None:
            assert (row["emotion"], row["probability"], prediction["emotion"]) == ("silence", "", None)
            continue
        assert row["emotion"] == prediction["emotion"]
        for emotion in values["emotions"]:
            assert float(row[emotion]) == pytest.approx(prediction["probabilities"][emotion], abs=1e-5)


def test_sound_that_is_not_heard_is_told(model_a: RunResult, long_recording: Path) -> None:
    status, _, err = called(model_a.folder.path, long_recording)
    assert status == 0
    assert "the model hears the first 3 s; the remaining 1." in err
    assert "Use --window 3 to hear all of it" in err


@pytest.mark.slow
def test_rows_come_before_the_last_recording_is_read(model_a: RunResult, small_demo: Path) -> None:
    """Standard input is given only after the first recording's row was printed."""
    first = min((small_demo / "demo").rglob("*.wav"))
    code = "from training.cli.predict import main; main()"
    command = [sys.executable, "-c", code, str(model_a.folder.path), str(first), "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        rows = [process.stdout.readline(), process.stdout.readline()]
        assert rows[1].decode().split()[-1] == str(first)
        rest, _ = process.communicate(first.read_bytes())
    assert rest.decode().split()[-1] == "-"
    assert rest.split()[:-1] == rows[1].split()[:-1]


def test_a_recording_that_is_named_twice_is_told_once(
    model_a: RunResult, small_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_demo / "demo" / "f01"
    first, *others = sorted(folder.glob("*.wav"))
    monkeypatch.chdir(folder)
    status, out, _ = called(model_a.folder.path, first.name, folder, first, "--json")
    told = json.loads(out)["clips"]
    assert status == 0
    assert [each["clip"] for each in told] == [first.name, *map(str, others)]
    assert {len(each["predictions"]) for each in told} == {1}


@pytest.mark.slow
def test_who_has_read_enough_is_no_error(model_a: RunResult, small_demo: Path) -> None:
    """``ser-predict … | head -1``."""
    code = "from training.cli.predict import main; main()"
    command = [sys.executable, "-c", code, str(model_a.folder.path), str(small_demo)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    assert "error" not in said.lower()
    assert "Broken pipe" not in said


def test_what_the_model_is_worth_stands_beside_the_answer(model_a: RunResult, small_demo: Path) -> None:
    first = min((small_demo / "demo").rglob("*.wav"))
    ua = model_a.test.emotion.ua
    for form in ((), ("--csv",)):
        _, out, err = called(model_a.folder.path, first, *form)
        assert f"speaker-independent (protocol: speaker): UA {100 * ua:.1f} %" in err
        assert "UA" not in out
    _, out, err = called(model_a.folder.path, first, "--json")
    (model,) = json.loads(out)["models"]
    assert (model["protocol"], model["ua"], err) == (model_a.title, ua, "")


def test_names_cannot_move_the_cursor_of_a_terminal(
    model_a: RunResult, small_demo: Path, tmp_path: Path
) -> None:
    source = min((small_demo / "demo").rglob("*.wav"))
    shutil.copyfile(source, tmp_path / "a\x1b[2Jb\n.wav")
    (tmp_path / "c\x1b[2J.wav").write_bytes(b"")
    shutil.copyfile(source, bytes(tmp_path) + b"/d\xff.wav")
    status, out, err = called(model_a.folder.path, tmp_path)
    assert status == 1
    assert "\x1b" not in out + err
    assert len(out.splitlines()) == 3
    status, out, _ = called(model_a.folder.path, tmp_path, "--json")
    assert status == 1
    assert len(json.loads(out)["clips"]) == 3


def test_mistakes_are_one_sentence(model_a: RunResult, tmp_path: Path) -> None:
    for options, status, sentence in (
        ((tmp_path, "x.wav"), 1, "is not a run folder"),
        ((model_a.folder.path, tmp_path), 2, "holds no recordings"),
        ((model_a.folder.path, "x.wav", "--json", "--csv"), 2, "choose one"),
        ((model_a.folder.path,), 2, "give the run first"),
        ((tmp_path, model_a.folder.path), 2, "is a run, not a recording"),
        ((model_a.folder.path, "--microphone", "--seconds", "inf"), 2, "is not a duration"),
        ((model_a.folder.path, "x.wav", "--microphone"), 2, "two sources of sound"),
        ((model_a.folder.path, "x.wav", "--seconds", "3"), 2, "is for --microphone"),
        ((model_a.folder.path, "--microphone", "--seconds", "0"), 2, "more than 0"),
        ((model_a.folder.path, "x.wav", "--step", "3"), 2, "add --window"),
    ):
        found, out, err = called(*options)
        assert (found, out) == (status, "")
        assert sentence in err
        assert "Traceback" not in err


@pytest.mark.slow
def test_predicting_imports_nothing_that_training_alone_needs(model_a: RunResult, small_demo: Path) -> None:
    """They take as long to import as all the rest."""
    clip = min((small_demo / "demo").rglob("*.wav"))
    code = (
        "import sys; from training.predict.ensemble import Ensemble; "
        f"Ensemble.open([{str(model_a.folder.path)!r}], 'cpu').predict({str(clip)!r}); "
        "late = ('lightning', 'sklearn', 'torch._dynamo', 'tensorboard', 'matplotlib'); "
        "print([m for m in late if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
