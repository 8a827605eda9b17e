"""Runs as ONNX: the graph says what the model says, and the document beside it is enough for a port."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path

import librosa
import numpy as np
import onnx
import pytest
import torch
from onnxruntime import InferenceSession
from typer.testing import CliRunner

import training.export
from featurestore.store import FeatureStore
from schemas.errors import RunError, UsageError
from schemas.overrides import override
from schemas.recipe import load_recipe
from training.cli.commands.export import app
from training.export.check import TOLERANCE, require_same
from training.export.export import Exported, export_run
from training.predict.predictor import Predictor
from training.predict.scorer import scorer_of
from training.report.result import RunResult
from training.runs.request import Hardware, TrainRequest
from training.train import train

FAMILIES = {
    "A": ("four-corpora-a", ()),
    "cremad": ("four-corpora-c", ("model.name=cremad", "model.channels=[8]", "input.normalise=minmax")),
    "attention": ("four-corpora-c", ("model.name=ravdess-attention", "input.normalise=sample")),
    "delta": ("four-corpora-c", ("model.name=tess-delta", "input.clip=3.0", "model.hidden=16")),
    "cnn": (
        "four-corpora-c",
        ("model.name=three-corpora-cnn", "model.channels=[4,8,8,8]", "model.dense=[16]"),
    ),
    "transformer": (
        "four-corpora-c",
        ("model.name=ravdess-transformer", "model.channels=[4,4,8,8]", "model.encoder_blocks=1"),
    ),
    "conformer": (
        "four-corpora-c",
        ("model.name=ravdess-conformer", "model.channels=[4,4,8,8]", "model.encoder_blocks=1"),
    ),
    "mlp": ("four-corpora-c", ("model.name=functionals-mlp", "input.normalise=none", "model.hidden=[8]")),
    "functionals-mlp": (
        "four-corpora-c",
        ("model.name=functionals-mlp", "input.representation=functionals"),
    ),
    "functionals": ("four-corpora-a", ("model.name=functionals",)),
    "functionals-lda": ("four-corpora-c", ("model.name=functionals-lda",)),
}


def trained(store: Path, out: Path, family: str, *more: str) -> RunResult:
    recipe, changes = FAMILIES[family]
    wanted = ["datasets=null", "train.views=[0]", "train.epochs=1", *changes, *more]
    request = TrainRequest(
        store=store,
        recipe=override(load_recipe(recipe), wanted),
        output=out,
        hardware=Hardware("cpu"),
    )
    return train(request)


@pytest.fixture(scope="module")
def run(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return trained(demo_store, tmp_path_factory.mktemp("runs"), "functionals")


@pytest.fixture(scope="module")
def exported(run: RunResult, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_run(run.folder.path, tmp_path_factory.mktemp("onnx") / "model.onnx")


Asked = Callable[[np.ndarray, np.ndarray], list[np.ndarray]]


def asked(path: Path) -> Asked:
    session = InferenceSession(path)

    def ask(features: np.ndarray, valid: np.ndarray) -> list[np.ndarray]:
        found = session.run(None, {"features": features.astype("f4"), "valid_frames": valid})
        return [np.asarray(each) for each in found]

    return ask


def require_equal(run: RunResult, path: Path, store: FeatureStore) -> None:
    """Graph and model agree on clips of the store, however many at once and however long."""
    model, graph = scorer_of(run.folder, torch.device("cpu")), asked(path)
    for size in (1, 2, 7):
        clips = np.arange(3, 3 + size)
        stored = store.read(clips, (0,), run.record.features)
        features = np.concatenate([stored[name][0] for name in run.record.features], axis=1)
        for valid in (store.valid_frames(clips, (0,))[0], np.arange(2, 2 + size)):
            expected = model(torch.from_numpy(features), torch.from_numpy(valid))
            probabilities, emotions = graph(features, valid)
            np.testing.assert_allclose(probabilities, expected, atol=TOLERANCE)
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
            by_gender = expected.reshape(size, -1, emotions.shape[1]).sum(axis=1)
            np.testing.assert_allclose(emotions, by_gender, atol=TOLERANCE)


@pytest.mark.slow
def test_the_graph_says_what_the_model_says(run: RunResult, exported: Exported, demo_store: Path) -> None:
    onnx.checker.check_model(exported.onnx, full_check=True)
    require_equal(run, exported.onnx, FeatureStore.open(demo_store))


@pytest.mark.slow
@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "functionals"])
def test_every_family_has_a_graph(family: str, demo_store: Path, tmp_path: Path) -> None:
    result = trained(demo_store, tmp_path, family)
    done = export_run(result.folder.path, tmp_path / "model.onnx")
    require_equal(result, done.onnx, FeatureStore.open(demo_store))


@pytest.mark.slow
def test_what_stands_behind_the_valid_frames_is_not_heard(exported: Exported) -> None:
    features = np.load(exported.npz)["features"]
    graph = asked(exported.onnx)
    broken = features.copy()
    broken[:, :, 60:] = np.nan
    for one, two in zip(graph(features, np.array([60])), graph(broken, np.array([60])), strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_test_vector_can_be_made_anew_by_formula_and_librosa(exported: Exported) -> None:
    """As an engineer would who has the document alone."""
    document = json.loads(exported.json.read_text())
    sound, rate = document["test_vector"]["sound"], document["audio"]["sample_rate"]
    t = np.arange(sound["samples"]) / sound["sample_rate"]
    slope = (sound["to_hz"] - sound["from_hz"]) / sound["seconds"]
    phase = 2 * np.pi * (sound["from_hz"] * t + slope * t * t / 2)
    tones = np.zeros(len(t))
    for h in range(1, sound["harmonics"] + 1):
        tones += np.sin(h * phase) / h
    y = (sound["amplitude"] * (0.6 - 0.4 * np.cos(6 * np.pi * t)) * tones).astype(np.float32)
    arrays = np.load(exported.npz)
    np.testing.assert_allclose(arrays["samples"], y, atol=1e-6)

    y, _ = librosa.effects.trim(y, top_db=document["audio"]["trim_db"])
    hop, n_fft = document["spectral"]["hop_length"], document["spectral"]["n_fft"]
    valid = min(document["frames"], 1 + (len(y) - 1) // hop)
    assert valid == document["test_vector"]["valid_frames"] == arrays["valid_frames"][0]
    assert 10 < valid < document["frames"]
    y = np.pad(y, (0, document["length"] - len(y)))
    power = librosa.feature.melspectrogram(y=y, sr=rate, n_fft=n_fft, hop_length=hop, n_mels=128)
    mel = librosa.power_to_db(power)
    features = {
        "mel": mel,
        "mfcc": librosa.feature.mfcc(S=mel, n_mfcc=40),
        "rms": librosa.feature.rms(y=y, frame_length=n_fft, hop_length=hop),
        "zcr": librosa.feature.zero_crossing_rate(y, frame_length=n_fft, hop_length=hop),
    }
    stacked = np.empty(arrays["features"].shape[1:], dtype=np.float32)
    for rows in document["features"]:
        stacked[rows["first"] : rows["stop"]] = features[rows["kind"]]
    stacked = stacked.astype(document["stored_as"]).astype(np.float32)
    np.testing.assert_allclose(arrays["features"][0], stacked, rtol=1e-3, atol=2e-3)

    probabilities, emotions = asked(exported.onnx)(stacked[None], np.array([valid]))
    np.testing.assert_allclose(probabilities[0], document["test_vector"]["probabilities"], atol=5e-3)
    np.testing.assert_allclose(emotions[0], document["test_vector"]["emotions"], atol=5e-3)


def test_the_document_names_everything(run: RunResult, exported: Exported) -> None:
    document = json.loads(exported.json.read_text())
    assert document["onnx"]["sha256"] == hashlib.sha256(exported.onnx.read_bytes()).hexdigest()
    vector = document["test_vector"]["file"]
    assert vector["sha256"] == hashlib.sha256(exported.npz.read_bytes()).hexdigest()
    session = InferenceSession(exported.onnx)
    for listed, found in (
        (document["inputs"], session.get_inputs()),
        (document["outputs"], session.get_outputs()),
    ):
        assert [(each["name"], each["shape"]) for each in listed] == [
            (each.name, each.shape) for each in found
        ]
    metrics = json.loads((run.folder.path / "metrics.json").read_text())
    assert document["result"]["protocol"] == metrics["title"]
    assert document["result"]["ua"] == metrics["test"]["emotion"]["ua"]
    assert document["trained"]["store_digest"] == run.record.store_digest
    assert document["classes"] == list(run.record.classes)
    for emotion in document["emotions"]:
        assert {document["classes"][i].split("_")[1] for i in emotion["classes"]} == {emotion["name"]}
        assert len(emotion["classes"]) == 2
    assert str(run.folder.path) not in exported.json.read_text()


def test_the_files_name_no_folder_of_their_maker(exported: Exported) -> None:
    """Of every node the exporter notes the lines of code that it is of, with their paths."""
    whole = exported.onnx.read_bytes()
    for place in (Path(torch.__file__).parent, Path(training.export.__file__).parent):
        assert str(place).encode() not in whole
    assert b".py" not in whole


def test_a_graph_that_says_anything_else_is_refused(run: RunResult, exported: Exported) -> None:
    graph = onnx.load(exported.onnx)
    (intercept,) = (each for each in graph.graph.initializer if each.name.endswith("intercept"))
    values = onnx.numpy_helper.to_array(intercept) + np.array([0.3] + [0] * 13, dtype=np.float32)
    intercept.CopyFrom(onnx.numpy_helper.from_array(values, intercept.name))
    with pytest.raises(RunError, match=r"differs from the model by .* is not written"):
        require_same(graph.SerializeToString(), Predictor.open(run.folder.path, "cpu"))


def test_mistakes_are_sentences_and_leave_nothing(
    run: RunResult, exported: Exported, demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"does not end in \.onnx"):
        export_run(run.folder.path, tmp_path / "model.bin")
    (tmp_path / "taken.json").write_text("mine")
    with pytest.raises(UsageError, match=r"taken\.json already exists.*--force"):
        export_run(run.folder.path, tmp_path / "taken.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.json"]
    runs = tmp_path / "runs"
    speaker = trained(demo_store, runs, "functionals-mlp", "input.normalise=speaker").folder.path
    with pytest.raises(RunError, match="was normalised by speaker and cannot predict single clips"):
        export_run(speaker, tmp_path / "model.onnx")
    find = PathFinder.find_spec
    monkeypatch.setattr(
        PathFinder, "find_spec", lambda name, *rest: None if name == "onnxscript" else find(name, *rest)
    )
    monkeypatch.delitem(sys.modules, "onnxscript", raising=False)
    with pytest.raises(RunError, match=r"onnxscript is not installed; install ser-features\[onnx\]"):
        export_run(run.folder.path, tmp_path / "model.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "taken.json"]


@pytest.mark.slow
def test_the_command_says_how_close_the_graph_is(run: RunResult, tmp_path: Path) -> None:
    place = tmp_path / "model.onnx"
    place.write_bytes(b"old")
    refused = CliRunner().invoke(app, [str(run.folder.path), str(place)])
    assert refused.exit_code == 2
    assert place.read_bytes() == b"old"
    done = CliRunner().invoke(app, [str(run.folder.path), str(place), "--force", "--json"])
    assert done.exit_code == 0, done.stderr
    values = json.loads(done.stdout)
    assert values["check"]["batch_sizes"] == [1, 2, 7]
    assert 0 <= values["check"]["largest_difference"] <= TOLERANCE
    assert values["sha256"] == hashlib.sha256(place.read_bytes()).hexdigest()
