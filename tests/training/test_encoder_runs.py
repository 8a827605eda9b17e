"""Models on features of encoders: from the store to predictions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from featurestore.store import FeatureStore
from schemas.errors import EncoderError, RunError, SpecError
from schemas.recipe import load_recipe, parse_recipe
from tests.encoder_store import THIRD_LAYER, vector_recipe, vector_recipe_text
from training.evaluate import EvaluationRequest, evaluate_runs
from training.predict.ensemble import Ensemble
from training.predict.predictor import Predictor
from training.report.result import RunResult
from training.runs.request import Hardware, TrainRequest
from training.train import train

CPU = Hardware("cpu")


@pytest.fixture(scope="module")
def run(encoder_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    out = tmp_path_factory.mktemp("runs")
    return train(
        TrainRequest(store=encoder_store, recipe=vector_recipe("lda", "speaker"), output=out, hardware=CPU)
    )


def test_it_learns_across_speakers(run: RunResult) -> None:
    """Of seven emotions of synthetic voices by an encoder that never heard speech, by chance one in seven."""
    assert run.test.emotion.ua > 0.25
    assert run.parameters == 7 * (32 + 1)


@pytest.mark.parametrize("model", ["svm", "logistic"])
def test_the_other_classifiers_learn(model: str, encoder_store: Path, tmp_path: Path) -> None:
    found = train(
        TrainRequest(
            store=encoder_store, recipe=vector_recipe(model, "speaker"), output=tmp_path, hardware=CPU
        )
    )
    assert found.test.emotion.ua > 0.2


def test_an_evaluation_gives_the_result_of_the_run(run: RunResult, encoder_store: Path) -> None:
    tested = evaluate_runs(EvaluationRequest((run.folder.path,), encoder_store, hardware=CPU))
    assert tested.evaluation == run.test


def test_a_recording_is_predicted_as_its_stored_clip(
    run: RunResult, encoder_store: Path, small_demo: Path, encoder: Path
) -> None:
    predictor = Predictor.open(run.folder.path, "cpu", {"pooled": encoder})
    assert [(f.name, f.layers) for f in predictor.spec.encoders] == [("pooled", (3,))]
    store = FeatureStore.open(encoder_store)
    assert run.predictions is not None
    rows = run.predictions.to_csv().splitlines()
    for line in (rows[1], rows[-1]):
        clip_id = line.split(",")[0]
        path = store.manifest.set_index("clip_id").loc[clip_id, "path"]
        found = predictor.predict(small_demo / "demo" / str(path)).probabilities
        assert found is not None
        stored = np.array([float(value) for value in line.split(",")[-len(found) :]])
        assert np.abs(np.sort(found) - np.sort(stored)).max() < 1e-3


def test_a_microphone_gives_the_windows_of_a_file_of_its_sound(
    run: RunResult, small_demo: Path, encoder: Path, tmp_path: Path
) -> None:
    """The encoder hears each window alone, in blocks of any length that arrive at another rate."""
    clips = sorted((small_demo / "demo").rglob("*.wav"))[:3]
    rate = soundfile.info(clips[0]).samplerate
    sound = np.concatenate([soundfile.read(clip, dtype="float32")[0] for clip in clips])
    soundfile.write(tmp_path / "sound.wav", sound, rate, subtype="FLOAT")
    model = Ensemble.open([run.folder.path], "cpu", {"pooled": encoder})
    window_s = 0.8 * model.window_s
    live = list(model.listen(np.array_split(sound, 37), rate, window_s, 0.3))
    file = list(model.timeline(tmp_path / "sound.wav", window_s, 0.3))
    assert [found.start_s for found in live] == [found.start_s for found in file]
    assert len(live) > 3
    for one, other in zip(live, file, strict=True):
        assert one.probabilities is not None
        assert other.probabilities is not None
        assert np.abs(one.probabilities - other.probabilities).max() < 1e-3
    assert np.ptp([found.probabilities for found in live], axis=0).max() > 0.01


def test_predicting_imports_neither_stores_nor_what_only_training_or_other_encoders_need(
    run: RunResult, small_demo: Path, encoder: Path
) -> None:
    """Each takes half a second or more, at every start."""
    clip = min((small_demo / "demo").rglob("*.wav"))
    code = (
        "import sys; from pathlib import Path; from training.predict.ensemble import Ensemble; "
        f"found = Ensemble.open([{str(run.folder.path)!r}], 'cpu', {{'pooled': Path({str(encoder)!r})}}); "
        f"found.predict({str(clip)!r}); "
        "late = ('transformers', 'zarr', 'pandas', 'scipy.signal', 'scipy.optimize', 'sklearn', "
        "'torch._dynamo'); print([m for m in late if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_weights_are_found_by_their_hash_or_named(
    run: RunResult, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    monkeypatch.setenv("SER_MODELS", str(models))
    with pytest.raises(EncoderError, match=r"weights of the encoder pooled .* are not on this machine; give"):
        Predictor.open(run.folder.path, "cpu")
    shutil.copytree(encoder, models / "some-name")
    Predictor.open(run.folder.path, "cpu")


def test_card_page_and_report_say_what_the_temperature_changes(run: RunResult) -> None:
    values = json.loads((run.folder.path / "metrics.json").read_text())
    effect = values["temperature"]
    assert effect["test"]["after"]["ece"] == pytest.approx(values["test"]["own"]["calibration"]["ece"])
    assert effect["test"]["after"]["log_loss"] == pytest.approx(values["test"]["loss"])
    assert effect["clips"] == 112 - len(run.predictions or ())
    assert effect["held_out"]["after"]["log_loss"] <= effect["held_out"]["before"]["log_loss"]
    before, after = (100 * effect["test"][side]["ece"] for side in ("before", "after"))
    clause = f"on the test clips, it takes ECE from {before:.1f} to {after:.1f} %"
    fitted = f"emperature {effect['temperature']:.2f}, fitted on {effect['clips']} clips of held-out speakers"
    for text in (
        run.report,
        *((run.folder.path / name).read_text() for name in ("README.md", "report.html")),
    ):
        plain = " ".join(text.split())
        assert clause in plain
        assert fitted in plain


def test_the_model_card_says_what_it_reads(run: RunResult) -> None:
    card = (run.folder.path / "README.md").read_text()
    assert "pooled, layers 3, mean over the frames (weights `" in card
    assert "shrinkage chosen by cross-validation" in card
    assert (run.folder.path / "report.html").stat().st_size > 10_000


def test_the_record_holds_architecture_and_hash(run: RunResult) -> None:
    record = json.loads((run.folder.path / "run.json").read_text())
    (stored,) = (f for f in record["store_spec"]["features"] if f.get("name") == "pooled")
    assert len(stored["sha256"]) == 64
    assert stored["architecture"]["blocks"] == 3


def test_layers_that_the_store_lacks_are_named(encoder_store: Path, tmp_path: Path) -> None:
    recipe = vector_recipe("lda", "speaker", THIRD_LAYER.replace("[3]", "[2]"))
    with pytest.raises(RunError, match=r"its pooled has layers \(1, 3\) \(recipe: \(2,\)\)"):
        train(TrainRequest(store=encoder_store, recipe=recipe, output=tmp_path / "runs", hardware=CPU))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('name = "lda"', 'name = "functionals"'), "which are for functionals, not embeddings"),
        (('pooling = "mean"', 'pooling = "frames"'), "needs features of encoders with pooling mean"),
        (('representation = "embedding"', ""), "model lda needs statistics of functionals, or features"),
        (('pooling = "mean"', 'pooling = "median"'), "pooling"),
        (("layers = [3]", "layers = [3, 1]"), "must be ascending, each once"),
        (('name = "pooled"', 'name = "frame"'), "cannot be named 'frame'"),
        (('name = "pooled"', 'name = "My Encoder"'), "lower-case letters, digits, dots and hyphens, unlike"),
    ],
)
def test_recipes_that_contradict_themselves(change: tuple[str, str], message: str) -> None:
    text = vector_recipe_text("lda", "speaker")
    with pytest.raises(SpecError, match=message):
        parse_recipe(text.replace(*change), "test")


def test_shipped_recipes_with_encoders_are_complete_but_for_weights() -> None:
    recipe = load_recipe("whisper-base")
    assert not recipe.is_complete
    assert [feature.name for feature in recipe.features] == ["whisper-base"]
