"""Networks on features of encoders: from the store to results that name the weights of the layers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnxruntime import InferenceSession

from featurestore.store import FeatureStore
from schemas.errors import RunError, SpecError
from schemas.recipe import Recipe, parse_recipe
from tests.encoder_store import FRAMED, encoder_recipe
from training.evaluate import EvaluationRequest, evaluate_runs
from training.export.export import export_run
from training.loop.normalise import Normalisation
from training.predict.predictor import Predictor
from training.report.result import RunResult
from training.runs.request import Hardware, TrainRequest
from training.train import train

CPU = Hardware("cpu")
POOLED = """
[[features]]
kind = "encoder"
name = "pooled"
pooling = "mean+std"
"""
SIGNAL = ('[[features]]\nkind = "mel"\nn_mels = 16\n', '[[features]]\nkind = "rms"\n')
TRAINING = """
[split]
protocol = "speaker"
[train]
views = [0, 2]
batch_size = 16
epochs = 25
lr = 3e-3
mixup = 0.2
monitor = "last"
patience = "none"
"""
HEADS = {
    "layer-mlp": (POOLED, '[input]\nrepresentation = "embedding"'),
    "frame-head": (FRAMED, ""),
}
"""Features and further tables of a recipe by model."""


def _text(model: str, features: str, tables: str = "") -> str:
    text = encoder_recipe(encoders=features).replace('name = "A"', f'name = "{model}"')
    for feature in SIGNAL:
        text = text.replace(feature, "")
    return f"{text}\n{tables}{TRAINING}"


def _recipe(model: str) -> Recipe:
    return parse_recipe(_text(model, *HEADS[model]), "test")


@pytest.fixture(scope="module", params=HEADS)
def run(
    request: pytest.FixtureRequest, encoder_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunResult:
    out = tmp_path_factory.mktemp("runs")
    return train(TrainRequest(store=encoder_store, recipe=_recipe(request.param), output=out, hardware=CPU))


def _layers(run: RunResult) -> tuple[str, tuple[int, ...]]:
    return ("pooled", (1, 3)) if run.record.recipe.model.name == "layer-mlp" else ("framed", (2,))


def test_it_learns(run: RunResult) -> None:
    assert run.history[-1].train_loss < 0.9 * run.history[0].train_loss


def test_layers_say_something_of_other_speakers(run: RunResult) -> None:
    """Seven emotions of synthetic voices, by an encoder that never heard speech: by chance one in seven."""
    if run.record.recipe.model.name == "frame-head":
        pytest.skip("frames of such an encoder say little of fourteen clips")
    assert run.test.emotion.ua > 0.25


def test_the_weights_of_the_layers_are_in_results_report_card_and_page(run: RunResult) -> None:
    (shares,) = run.layer_shares
    assert (shares.feature, shares.layers) == _layers(run)
    assert sum(shares.weights) == pytest.approx(1)
    found = json.loads((run.folder.path / "metrics.json").read_text())["layer_weights"]
    assert found == {shares.feature: {str(n): w for n, w in zip(shares.layers, shares.weights, strict=True)}}
    listed = ", ".join(f"{n} {w:.2f}" for n, w in zip(shares.layers, shares.weights, strict=True))
    sentence = f"Weights of the layers of {shares.feature}: {listed}"
    assert sentence in run.report
    assert f"{sentence}." in (run.folder.path / "README.md").read_text()
    assert sentence in (run.folder.path / "report.html").read_text()


def test_the_weights_of_several_layers_are_learnt(run: RunResult) -> None:
    (shares,) = run.layer_shares
    assert shares.weights == (1.0,) if len(shares.layers) == 1 else len(set(shares.weights)) == 2


def test_the_model_card_says_what_it_reads(run: RunResult) -> None:
    card = " ".join((run.folder.path / "README.md").read_text().split())
    name, layers = _layers(run)
    assert f"{name}, layers {', '.join(map(str, layers))}, " in card
    frames = run.record.store_spec.shapes[name][1]
    assert f"frames (weights `{str(run.record.store_spec.encoders[0].sha256)[:12]}`)" in card
    assert (f"in {frames} frames" in card) == (name == "framed")


def test_the_input_is_normalised_over_the_training_clips(run: RunResult, encoder_store: Path) -> None:
    """Each coefficient over the valid frames; of vectors in the original view, of frames in all views."""
    store = FeatureStore.open(encoder_store)
    (name,) = run.record.features
    split = json.loads((run.folder.path / "split.json").read_text())
    clips = np.flatnonzero(store.manifest["clip_id"].isin(split["train"]))
    views = (0,) if name == "pooled" else (0, 2)
    array = store.read(clips, views=views, features=(name,))[name].astype(np.float64)
    valid = store.valid_frames(clips, views, name)
    values = np.concatenate(
        [array[v, c, :, : valid[v, c]].T for v in range(len(views)) for c in range(len(clips))]
    )
    held = Normalisation.load(run.folder.normalisation)
    np.testing.assert_allclose(held.offset, values.mean(0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(held.scale, values.std(0), rtol=1e-2, atol=1e-4)


def test_an_evaluation_gives_the_result_of_the_run(run: RunResult, encoder_store: Path) -> None:
    tested = evaluate_runs(EvaluationRequest((run.folder.path,), encoder_store, hardware=CPU))
    assert tested.evaluation == run.test


def test_a_recording_is_predicted_as_its_stored_clip(
    run: RunResult, encoder_store: Path, small_demo: Path, encoder: Path
) -> None:
    (name,) = run.record.features
    predictor = Predictor.open(run.folder.path, "cpu", {name: encoder})
    manifest = FeatureStore.open(encoder_store).manifest.set_index("clip_id")
    assert run.predictions is not None
    line = run.predictions.to_csv().splitlines()[1]
    path = small_demo / "demo" / str(manifest.loc[line.split(",")[0], "path"])
    found = predictor.predict(path).probabilities
    assert found is not None
    stored = np.array([float(value) for value in line.split(",")[-len(found) :]])
    assert np.abs(np.sort(found) - np.sort(stored)).max() < 5e-3


@pytest.mark.slow
def test_an_exported_head_predicts_what_the_run_predicts(
    run: RunResult, encoder: Path, tmp_path: Path
) -> None:
    (name,) = run.record.features
    exported = export_run(run.folder.path, tmp_path / "model.onnx", encoders={name: encoder})
    vector = np.load(tmp_path / "model.npz")
    inputs = {"features": vector["features"], "valid_frames": vector["valid_frames"]}
    (found,) = InferenceSession(exported.onnx).run(["probabilities"], inputs)
    assert np.abs(found - vector["probabilities"]).max() < 1e-4
    assert found.std() > 0.01
    assert (tmp_path / f"model.{name}.onnx").is_file()


EMBEDDING, FUNCTIONALS = (f'[input]\nrepresentation = "{name}"' for name in ("embedding", "functionals"))


@pytest.mark.parametrize(
    ("model", "features", "tables", "message"),
    [
        ("layer-mlp", FRAMED, EMBEDDING, "needs features of encoders with pooling mean"),
        (
            "layer-mlp",
            POOLED,
            "",
            "weighs pooled layers of encoders, but the input is frames of pooled",
        ),
        ("layer-mlp", "", FUNCTIONALS, "but the input is functionals of mel, rms; give"),
        ("frame-head", POOLED, "", "reads frames of one encoder, but the input is frames of pooled; give"),
        ("frame-head", "", "", "but the input is frames of mel, rms; give"),
        ("frame-head", FRAMED + FRAMED.replace("framed", "other"), "", "is frames of framed, other; give"),
        ("frame-head", FRAMED, FUNCTIONALS, "but the input is functionals of framed; give"),
    ],
)
def test_features_that_a_head_cannot_read_are_named(
    model: str, features: str, tables: str, message: str
) -> None:
    text = _text(model, features, tables)
    if not features:
        text = text.replace("[[views]]", f"{SIGNAL[0]}\n{SIGNAL[1]}\n[[views]]", 1)
    with pytest.raises(SpecError, match=message):
        parse_recipe(text, "test")


def test_frames_are_read_in_all_layers_that_the_store_holds(encoder_store: Path, tmp_path: Path) -> None:
    recipe = parse_recipe(_text("frame-head", FRAMED.replace("[2]", "[1, 2]")), "test")
    with pytest.raises(RunError, match=r"its framed has layers \(2,\) \(recipe: \(1, 2\)\)"):
        train(TrainRequest(store=encoder_store, recipe=recipe, output=tmp_path / "runs", hardware=CPU))
