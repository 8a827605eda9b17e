"""Models on features of encoders as ONNX: the head, and the encoder beside it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnxruntime import InferenceSession
from typer.testing import CliRunner

from pipelines.encoders.weights import find_weights
from schemas.encoders import EncoderSpec
from schemas.errors import MissingWeightsError, RunError, UsageError
from tests.encoder_store import vector_recipe
from tests.pipelines.encoders.conftest import Saved
from tests.pipelines.encoders.conftest import saved as saved
from tests.pipelines.encoders.saved import KINDS
from training.cli.commands.export import app
from training.export import encoders
from training.export.check import TOLERANCE
from training.export.encoder_graph import EncoderGraph, limits
from training.export.export import export_run
from training.predict.predictor import Predictor
from training.report.result import RunResult
from training.runs.request import Hardware, TrainRequest
from training.train import train

CPU = torch.device("cpu")
ROUNDED = 1e-3
"""Difference of a probability if the last bit of the stored float16 differs."""


@pytest.fixture(scope="module")
def run(encoder_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    out = tmp_path_factory.mktemp("runs")
    return train(
        TrainRequest(
            store=encoder_store, recipe=vector_recipe("lda", "speaker"), output=out, hardware=Hardware("cpu")
        )
    )


@dataclass(frozen=True)
class Files:
    """What the command wrote and printed."""

    folder: Path
    told: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "model.json").read_text())
        return found

    def session(self, name: str) -> InferenceSession:
        return InferenceSession(self.folder / name)


@pytest.fixture(scope="module")
def exported(run: RunResult, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("onnx")
    arguments = [str(run.folder.path), str(folder / "model.onnx"), "--encoder", f"pooled={encoder}"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return Files(folder, " ".join(done.stdout.split()))


@pytest.mark.slow
def test_both_graphs_predict_what_the_predictor_predicts(
    run: RunResult, exported: Files, encoder: Path
) -> None:
    vector = np.load(exported.folder / "model.npz")
    (feature,) = exported.session("model.pooled.onnx").run(["feature"], {"waveform": vector["waveform"]})
    stored = feature.astype(exported.document["stored_as"]).astype(np.float32)
    assert np.abs(stored - vector["features"]).max() <= ROUNDED * np.abs(stored).max()
    inputs = {"features": stored, "valid_frames": vector["valid_frames"]}
    (emotions,) = exported.session("model.onnx").run(["emotions"], inputs)
    predictor = Predictor.open(run.folder.path, "cpu", {"pooled": encoder})
    (expected,) = predictor.predict_parts([((0.0, 1.0), vector["samples"])])
    assert expected.probabilities is not None
    assert expected.probabilities.std() > 0.01
    assert np.abs(emotions[0] - expected.probabilities).max() < ROUNDED


@pytest.mark.slow
def test_the_document_says_what_the_encoder_is(exported: Files, encoder: Path) -> None:
    document, path = exported.document, exported.folder / "model.pooled.onnx"
    (described,) = document["encoders"]
    assert described["file"] == {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert described["specification"]["sha256"] == find_weights(encoder).sha256
    assert (described["specification"]["layers"], described["licence"]) == ([3], None)
    assert described["output"]["shape"] == document["inputs"][0]["shape"] == ["batch", 64, 1]
    assert described["check"]["largest_difference"] <= TOLERANCE
    (rows,) = document["features"]
    assert (rows["kind"], rows["first"], rows["stop"]) == ("pooled", 0, 64)
    assert "do not pad" in " ".join(document["steps"])
    assert str(encoder) not in json.dumps(document)
    assert str(encoder).encode() not in path.read_bytes()


@pytest.mark.slow
def test_the_command_names_size_and_licence(exported: Files) -> None:
    assert "model.pooled.onnx: 0." in exported.told
    assert "it holds the weights (ask their publisher for the licence)" in exported.told


def test_a_file_that_exists_and_missing_weights_are_sentences_and_leave_nothing(
    run: RunResult, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.pooled.onnx").write_text("mine")
    with pytest.raises(UsageError, match=r"model\.pooled\.onnx already exists.*--force"):
        export_run(run.folder.path, tmp_path / "model.onnx", encoders={"pooled": encoder})
    monkeypatch.setenv("SER_MODELS", str(tmp_path / "none"))
    with pytest.raises(MissingWeightsError, match=r"weights of the encoder pooled .* are not on this"):
        export_run(run.folder.path, tmp_path / "other.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pooled.onnx"]


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": (1, 3), "pooling": "mean+std"},
        {"layers": (0, 2), "pooling": "mean", "window": 2.0},
        {"layers": (2,), "pooling": "frames", "stride": 3},
        {"layers": (1, 2), "pooling": "frames", "window": 1.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", list(KINDS))
def test_graphs_compute_what_stores_hold(saved: Saved, kind: str, settings: dict[str, object]) -> None:
    """Before it becomes ONNX, against the code that builds stores."""
    weights = find_weights(saved(kind)[1])
    feature = EncoderSpec.model_validate(
        {"name": "any", "architecture": weights.architecture, "sha256": weights.sha256, **settings}
    )
    encoder = weights.load(feature.all_layers, CPU)
    graph = EncoderGraph(feature, encoder).eval()
    fewest, most = limits(feature, 3.0)
    for samples in (fewest, 9_001, most):
        clips = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(samples))
        expected = encoders.compute(feature, encoder, clips)
        with torch.inference_mode():
            found = graph(clips).numpy()
        assert not found[:, :, expected.shape[2] :].any()
        assert np.abs(found[:, :, : expected.shape[2]] - expected).max() < TOLERANCE * np.abs(expected).max()


@pytest.mark.slow
def test_a_network_of_transformers_becomes_onnx_and_is_compared(saved: Saved) -> None:
    weights = find_weights(saved("WavLM base")[1])
    feature = EncoderSpec.model_validate(
        {
            "name": "any", "architecture": weights.architecture, "sha256": weights.sha256, "layers": (1, 3),
            "pooling": "frames", "stride": 2,
        }
    )  # fmt: skip
    encoder = weights.load((1, 3), CPU)
    onnx, difference = encoders.convert(feature, encoder, 2.0)
    assert difference <= TOLERANCE
    other = weights.load((1, 2), CPU)
    with pytest.raises(RunError, match="the exported graph of any differs from the encoder by"):
        encoders.require_same_states(onnx, feature, other, 2.0)


def test_bfloat16_is_not_exported_as_if_it_were_float32(saved: Saved) -> None:
    weights = find_weights(saved("whisper")[1])
    feature = EncoderSpec(
        name="rounded",
        architecture=weights.architecture,
        sha256=weights.sha256,
        layers=(1,),
        precision="bfloat16",
    )
    with pytest.raises(RunError, match="rounded was computed in bfloat16, but exported graphs"):
        encoders.convert(feature, weights.load((1,), CPU), 2.0)
