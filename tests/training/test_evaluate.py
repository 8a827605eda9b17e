from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from schemas.errors import RunError, UsageError
from schemas.overrides import override
from schemas.recipe import load_recipe
from tests import commands
from tests.training.damaged import without_hashes
from training.audits.sentences import SharedSentences
from training.evaluate import EvaluationRequest, evaluate_runs
from training.report.result import RunResult
from training.runs.request import Hardware, TrainRequest
from training.runs.run import RunFolder
from training.train import train

CPU = Hardware("cpu")
RECIPE = override(load_recipe("four-corpora-c"), ["datasets=null", "train.views=[0]", "train.epochs=1"])


@pytest.fixture(scope="module", params=["C", "functionals"])
def run(
    request: pytest.FixtureRequest, demo_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunResult:
    out = tmp_path_factory.mktemp("runs")
    changes = (f"model.name={request.param}",)
    return train(TrainRequest(store=demo_store, recipe=RECIPE, changes=changes, output=out, hardware=CPU))


@pytest.fixture(scope="module")
def other_store(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo corpus, in its original alone, and beside it all of its angry recordings as ``mine``."""
    root = tmp_path_factory.mktemp("other")
    mine = root / "mine"
    (mine / "angry").mkdir(parents=True)
    (mine / "corpus.toml").write_text("speaker = '^angry/(?P<speaker>[a-z0-9]+)_'\n")
    for source in sorted((small_demo / "demo").rglob("*angry*.wav")):
        shutil.copyfile(source, mine / "angry" / f"{source.parent.name}_{source.name}")
    out = root / "other.zarr"
    build(BuildRequest(out, small_demo, f"demo,mine={mine}", SpecRequest(augment=0)))
    return out


@pytest.fixture(scope="module")
def sixteen_khz_store(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("16k")
    recipe = root / "r.toml"
    features = "".join(f'[[features]]\nkind = "{kind}"\n' for kind in ("mel", "mfcc", "rms", "zcr"))
    recipe.write_text(f'name = "r"\n[audio]\nsample_rate = 16000\n{features}[model]\nname = "A"\n')
    build(BuildRequest(root / "16k.zarr", small_demo, "demo", SpecRequest(recipe=str(recipe))))
    return root / "16k.zarr"


def test_on_its_own_store_a_model_has_the_result_of_its_run(run: RunResult, demo_store: Path) -> None:
    tested = evaluate_runs(EvaluationRequest((run.folder.path,), demo_store, hardware=CPU))
    assert tested.title == run.title
    assert tested.evaluation == run.test
    assert tested.report.startswith("speaker-independent (protocol: speaker): UA ")
    assert tested.subject == run.subject
    assert tested.sentences == run.audit.sentences == (SharedSentences(("demo",), 1, 1),)
    assert "\nTraining and test share the only test sentence of demo.\n" in tested.report
    assert tested.to_json()["sentences"] == run.to_json()["sentences"]


def test_on_another_store_no_speaker_and_no_recording_is_tested_that_was_heard(
    run: RunResult, demo_store: Path, other_store: Path
) -> None:
    tested = evaluate_runs(EvaluationRequest((run.folder.path,), other_store, hardware=CPU))
    heard = set(run.record.heard)
    manifest = FeatureStore.open(demo_store).manifest
    assert heard == set(manifest["speaker"]) - set(run.predictions.speaker if run.predictions else ())
    assert not heard & set(tested.predictions.speaker)
    recordings = set(manifest["audio_sha256"][manifest["speaker"].isin(heard)])
    other = FeatureStore.open(other_store).manifest.set_index("clip_id")
    assert not recordings & set(other["audio_sha256"].loc[list(tested.predictions.clip_id)])
    assert {clip.partition("/")[0] for clip in tested.predictions.clip_id} == {"demo", "mine"}
    assert tested.title == "speaker-independent (trained on demo, tested on demo and mine)"
    assert tested.sentences == (SharedSentences(("demo",), 1, 1), SharedSentences(("mine",), 0, 0))
    assert (
        "\nTraining and test share the only test sentence of demo; the corpus mine does not" in tested.report
    )
    trained_on, renamed = (notice for notice in tested.notices if notice.startswith("left out"))
    assert trained_on.startswith(
        "left out 98 of 128 clips: the model was trained or validated on their speakers"
    )
    assert renamed.startswith(
        "left out 14 of 128 clips: the model was trained or validated on the same recordings"
    )


def test_clips_can_be_chosen(run: RunResult, demo_store: Path) -> None:
    asked = EvaluationRequest((run.folder.path,), demo_store, where='emotion == "sad"', hardware=CPU)
    tested = evaluate_runs(asked)
    assert {tested.predictions.classes[i] for i in tested.predictions.true} == {"sad"}
    with pytest.raises(UsageError, match="no corpus tess; choose from demo"):
        evaluate_runs(EvaluationRequest((run.folder.path,), demo_store, datasets=("tess",), hardware=CPU))
    with pytest.raises(UsageError, match="no column 'loudness'"):
        evaluate_runs(EvaluationRequest((run.folder.path,), demo_store, where="loudness > 1", hardware=CPU))


def test_a_store_of_other_features_is_a_sentence(run: RunResult, sixteen_khz_store: Path) -> None:
    with pytest.raises(RunError, match=r"its audio has sample_rate 16000 \(run: 22050\)"):
        evaluate_runs(EvaluationRequest((run.folder.path,), sixteen_khz_store, hardware=CPU))


def test_a_folder_that_is_no_run_is_a_sentence(run: RunResult, demo_store: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        evaluate_runs(EvaluationRequest((tmp_path,), demo_store))
    with pytest.raises(UsageError, match="give --store"):
        evaluate_runs(EvaluationRequest((run.folder.path,)))
    series = tmp_path / "series"
    series.mkdir()
    (series / "series.json").write_text("{}")
    with pytest.raises(RunError, match=r"is a series of folds; give the folder of one, such as .*fold-1"):
        evaluate_runs(EvaluationRequest((series,), demo_store))
    RunFolder.create(tmp_path, "empty")
    with pytest.raises(RunError, match="is not a run folder"):
        evaluate_runs(EvaluationRequest((tmp_path / "empty",), demo_store))


@pytest.fixture(scope="module")
def lda(run: RunResult, demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Another model on the split of ``run``."""
    return trained(demo_store, tmp_path_factory.mktemp("lda"), run.folder.path / "split.json")


def trained(store: Path, out: Path, split: Path | None = None, *changes: str, seed: int = 0) -> RunResult:
    changes = ("model.name=functionals-lda", *changes)
    return train(
        TrainRequest(
            store=store, recipe=RECIPE, changes=changes, split=split, seed=seed, output=out, hardware=CPU
        )
    )


@pytest.mark.slow
def test_of_several_runs_the_mean_of_their_probabilities_is_tested(
    run: RunResult, lda: RunResult, demo_store: Path, tmp_path: Path
) -> None:
    third = trained(demo_store, tmp_path, run.folder.path / "split.json", "model.shrinkage=0.6")
    results = (run, lda, third)
    paths = tuple(result.folder.path for result in results)
    tested = evaluate_runs(EvaluationRequest(paths, demo_store, hardware=CPU))
    probabilities = []
    for result in results:
        assert result.predictions is not None
        assert result.predictions.clip_id == tested.predictions.clip_id
        probabilities.append(result.predictions.probabilities.astype(np.float64))
    expected = np.mean(probabilities, axis=0)
    np.testing.assert_allclose(tested.predictions.probabilities, expected, atol=1e-6)
    ua = balanced_accuracy_score(tested.predictions.true, expected.argmax(axis=1))
    assert tested.evaluation.emotion.ua == pytest.approx(ua)
    assert tested.title == run.title
    name = run.record.recipe.model.name
    subject = f"mean of 3 models ({name}, functionals-lda × 2), trained on demo"
    assert (tested.subject, tested.to_json()["subject"]) == (subject, subject)
    assert f"\n\nM{subject[1:]}.\n\n" in tested.report
    assert [each["model"] for each in tested.to_json()["runs"]] == [name, *["functionals-lda"] * 2]


def test_weights_come_from_the_validation_clips_and_never_from_the_test(
    run: RunResult, lda: RunResult, demo_store: Path
) -> None:
    paths = (run.folder.path, lda.folder.path)
    request = EvaluationRequest(paths, demo_store, weighting="validation", hardware=CPU)
    tested = evaluate_runs(request)
    tables = [pd.read_csv(path / "validation.csv").set_index("clip_id") for path in paths]
    clips = tables[0].index
    likelihoods = np.array([[table.loc[clip, table.loc[clip, "true"]] for clip in clips] for table in tables])
    grid = np.linspace(0, 1, 2001)
    likelihoods = likelihoods.clip(np.finfo(np.float32).tiny)
    losses = [-np.log(w * likelihoods[0] + (1 - w) * likelihoods[1]).mean() for w in grid]
    assert tested.weights is not None
    weights = tested.weights.shares
    assert weights[0] == pytest.approx(grid[int(np.argmin(losses))], abs=2e-3)
    assert tested.weights.same_clips
    assert tested.weights.clips == len(tables[0]) == len(run.validation_predictions or ())
    parts = [result.predictions for result in (run, lda)]
    assert not set(tables[0].index) & set(tested.predictions.clip_id)
    expected = sum(
        w * part.probabilities.astype(float) for w, part in zip(weights, parts, strict=True) if part
    )
    np.testing.assert_allclose(tested.predictions.probabilities, expected, atol=1e-6)
    name = run.record.recipe.model.name
    assert tested.subject == f"weighted mean of 2 models ({name}, functionals-lda), trained on demo"
    assert f"Weights {weights[0]:.2f} ({paths[0].name}), " in " ".join(tested.report.split())
    assert tested.to_json()["weights"]["shares"] == list(weights)


def test_a_run_without_stored_validation_predictions_cannot_be_weighted(
    run: RunResult, lda: RunResult, demo_store: Path, tmp_path: Path
) -> None:
    older = without_hashes(Path(shutil.copytree(lda.folder.path, tmp_path / "older")))
    (older / "validation.csv").unlink()
    request = EvaluationRequest((run.folder.path, older), demo_store, weighting="validation", hardware=CPU)
    with pytest.raises(RunError, match="because an older version trained it; train it again"):
        evaluate_runs(request)
    alone = commands.run("ser-evaluate", older, "--weights", "validation", status=2)
    assert "--weights validation is for the mean of several runs" in " ".join(alone.stderr.split())


def test_a_run_counts_once(run: RunResult, lda: RunResult, demo_store: Path) -> None:
    paths = (run.folder.path, lda.folder.path, run.folder.path)
    with pytest.raises(UsageError, match="is given twice; give each run once"):
        evaluate_runs(EvaluationRequest(paths, demo_store, hardware=CPU))


def test_runs_that_choose_other_clips_of_one_test_side_have_no_mean(
    run: RunResult, lda: RunResult, demo_store: Path, tmp_path: Path
) -> None:
    other = trained(demo_store, tmp_path, run.folder.path / "split.json", "where=\"emotion != 'sad'\"")
    paths = (lda.folder.path, other.folder.path)
    with pytest.raises(
        RunError, match=r"and .* select different clips of the test side; choose with --where"
    ):
        evaluate_runs(EvaluationRequest(paths, demo_store, hardware=CPU))
    said = EvaluationRequest(paths, demo_store, where="emotion != 'sad'", hardware=CPU)
    assert "sad" not in {
        said_of.classes[i] for said_of in [evaluate_runs(said).predictions] for i in said_of.true
    }


def test_a_leaky_run_is_tested_on_the_views_of_its_test_side(demo_store: Path, tmp_path: Path) -> None:
    leaky = trained(
        demo_store, tmp_path, None, "split.protocol=random", "split.leak_views=true", "train.views=[0, 2]"
    )
    tested = evaluate_runs(EvaluationRequest((leaky.folder.path,), demo_store, hardware=CPU))
    assert {*tested.predictions.view.tolist()} == {0, 2}
    assert tested.evaluation == leaky.test


def test_on_another_store_none_of_several_has_heard_what_is_tested(
    run: RunResult, lda: RunResult, demo_store: Path, other_store: Path, tmp_path: Path
) -> None:
    alone = evaluate_runs(EvaluationRequest((run.folder.path,), other_store, hardware=CPU))
    both = evaluate_runs(EvaluationRequest((run.folder.path, lda.folder.path), other_store, hardware=CPU))
    assert both.predictions.clip_id == alone.predictions.clip_id
    other = trained(demo_store, tmp_path, seed=1)
    paths = (run.folder.path, other.folder.path)
    with pytest.raises(RunError, match=r"were tested on different clips; train both"):
        evaluate_runs(EvaluationRequest(paths, demo_store, hardware=CPU))
    assert {*other.record.heard} | {*run.record.heard} > {*run.record.heard}, "drawn by another seed"
    with pytest.raises(RunError, match=r"no clips to test on \(left out 112 of 128 clips: a model was"):
        evaluate_runs(EvaluationRequest(paths, other_store, hardware=CPU))


def test_runs_of_other_labels_have_no_mean(run: RunResult, demo_store: Path, tmp_path: Path) -> None:
    other = trained(demo_store, tmp_path, None, "labels.target=gender_emotion")
    with pytest.raises(
        RunError, match=r"predicts gender_emotion of common7, but .* predicts emotion of common7"
    ):
        evaluate_runs(EvaluationRequest((run.folder.path, other.folder.path), demo_store, hardware=CPU))


def test_the_command_prints_the_result_and_writes_a_folder(
    run: RunResult, demo_store: Path, tmp_path: Path
) -> None:
    options = ["--store", demo_store, "--device", "cpu", "--out", tmp_path / "out"]
    done = commands.run("ser-evaluate", run.folder.path, *options)
    assert done.stdout.startswith("speaker-independent (protocol: speaker): UA ")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["test"] == json.loads((run.folder.path / "metrics.json").read_text())["test"]
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert len(table) == len(run.predictions or ())
    assert "error: " in commands.run("ser-evaluate", tmp_path, status=1).stderr
