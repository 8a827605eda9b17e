"""Training on features that another tool computed: what is read, what is left out, what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from featurestore.imports.run import ImportRequest, import_feature
from featurestore.store import FeatureStore
from schemas.errors import RunError, UsageError
from schemas.opensmile import OpenSmileSpec
from schemas.overrides import override
from schemas.recipe import Recipe, load_recipe, parse_recipe
from tests.once import Once
from tests.tiny_store import TINY_RECIPE
from training.evaluate import EvaluationRequest, evaluate_runs
from training.plan.imported import as_computed
from training.plan.requirements import require_features
from training.predict.predictor import Predictor
from training.robustness import measure_runs
from training.runs.options import Options
from training.runs.request import Hardware, TrainRequest
from training.runs.run import RunFolder
from training.samples.samples import cross
from training.train import RunResult, train
from training.vectors.clip_vectors import vectors_of
from training.vectors.source import read_vectors

CPU, DEVICE = Hardware("cpu"), torch.device("cpu")
LACKING = 2
"""Clips at the end of the manifest that the table of vectors lacks."""


def _arrays(store: FeatureStore) -> dict[str, dict[str, np.ndarray]]:
    """Feature → clip id → its numbers, exact in float16, from which the emotion can be told."""
    emotions = store.manifest["emotion"].astype("category").cat.codes.to_numpy()
    rng = np.random.default_rng(4)
    found: dict[str, dict[str, np.ndarray]] = {"vector": {}, "lld": {}, "layers": {}, "stacked": {}}
    for row, clip in enumerate(store.manifest["clip_id"]):
        frames = 9 + row % 3
        tone = 64 * (np.arange(7) == emotions[row])
        found["vector"][clip] = rng.integers(-9, 9, 7) + tone
        found["lld"][clip] = rng.integers(-9, 9, (frames, 7)) + tone
        found["layers"][clip] = rng.integers(-9, 9, (2, 1, 7)) + tone
        found["stacked"][clip] = rng.integers(-9, 9, (2, frames, 7)) + tone
    return found


@pytest.fixture(scope="module")
def imported_store(small_store: Path, once: Once) -> Path:
    """A copy of the small store with imported features of four shapes. Shared: do not change it."""

    def fill(out: Path) -> None:
        shutil.copytree(small_store, out, dirs_exist_ok=True)
        folder = out.with_name(f"{out.name}-files")
        arrays = _arrays(FeatureStore.open(small_store))
        table = pd.DataFrame(arrays["vector"]).T.rename_axis("file").iloc[:-LACKING]
        folder.mkdir(exist_ok=True)
        table.to_csv(folder / "vector.csv")
        import_feature(ImportRequest(out, "vector", (folder / "vector.csv",)))
        for name in ("lld", "layers", "stacked"):
            for clip, array in arrays[name].items():
                path = folder / name / f"{clip}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, array)
            import_feature(ImportRequest(out, name, (folder / name,)))

    return once("imported.zarr", fill)


def _recipe(features: str, *changes: str, model: str = "functionals") -> Recipe:
    base = load_recipe("four-corpora-a")
    options = Options(model=model, features=features)
    extra = ("labels.set=all", "labels.target=emotion", "train.epochs=2", "train.batch_size=16")
    return override(base, [*options.changes(base), *extra, *changes])


def _train(store: Path, out: Path, recipe: Recipe) -> RunResult:
    request = TrainRequest(
        store=store, recipe=recipe, recipe_source=recipe.name, output=out, hardware=CPU, name="run"
    )
    return train(request)


def test_vectors_reach_the_classifier_as_they_are(imported_store: Path) -> None:
    store = FeatureStore.open(imported_store)
    clips = np.random.default_rng(0).permutation(len(store.manifest) - LACKING)
    samples = cross(clips, clips % 7, (0,))
    wanted = _arrays(store)["vector"]
    for recipe in (_recipe("vector"), _recipe("vector", "input.representation=embedding", model="lda")):
        vectors = vectors_of(recipe, store.spec, ("vector",))
        assert (vectors.width, vectors.layers) == (7, {})
        found = read_vectors(store, samples, ("vector",), vectors, DEVICE).numpy()
        np.testing.assert_array_equal(found, [wanted[store.manifest["clip_id"][clip]] for clip in clips])


def test_frames_become_statistics_over_the_frames_that_a_clip_has(imported_store: Path) -> None:
    store = FeatureStore.open(imported_store)
    clips = np.arange(len(store.manifest))
    recipe = _recipe("lld", 'model.statistics=["mean", "std"]')
    vectors = vectors_of(recipe, store.spec, ("lld",))
    found = read_vectors(store, cross(clips, clips % 7, (0,)), ("lld",), vectors, DEVICE).numpy()
    arrays = list(_arrays(store)["lld"].values())
    expected = [np.stack([array.mean(axis=0), array.std(axis=0)], axis=1).ravel() for array in arrays]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_training_leaves_out_clips_without_values_and_augmented_views(
    imported_store: Path, tmp_path: Path
) -> None:
    result = _train(imported_store, tmp_path, _recipe("vector"))
    assert f"left out {LACKING} of 112 clips: without values of vector in the store" in result.notices
    assert (
        "vector was imported for the original view alone; the augmented views are not read" in result.notices
    )
    assert sum(side.clips for side in result.sides.values()) == 112 - LACKING
    assert sum(side.samples for side in result.sides.values()) == 112 - LACKING
    assert result.test.emotion.ua > 0.9
    card = (result.folder.path / "README.md").read_text()
    assert "vector, imported from CSV table vector.csv" in card
    run = tmp_path / "run"
    tested = evaluate_runs(EvaluationRequest((run,), store=imported_store, hardware=CPU))
    assert tested.evaluation.emotion == result.test.emotion
    with pytest.raises(
        RunError, match=r"trained on vector, which was imported \(CSV table vector.csv\) and can"
    ):
        Predictor.open(run)
    with pytest.raises(UsageError, match="imported for the original view alone; leave out --views"):
        measure_runs(EvaluationRequest((run,), store=imported_store, hardware=CPU), "all")


@pytest.mark.parametrize(
    ("features", "model", "representation"),
    [
        ("vector,layers", "lda", "embedding"),
        ("layers", "layer-mlp", "embedding"),
        pytest.param("vector", "functionals-mlp", "functionals", marks=pytest.mark.slow),
        pytest.param("lld", "functionals-mlp", "functionals", marks=pytest.mark.slow),
        pytest.param("lld", "frame-head", "frames", marks=pytest.mark.slow),
        pytest.param("stacked", "frame-head", "frames", marks=pytest.mark.slow),
    ],
)
def test_every_kind_of_model_trains_and_resumes_its_test(
    imported_store: Path, tmp_path: Path, features: str, model: str, representation: str
) -> None:
    recipe = _recipe(features, f"input.representation={representation}", model=model)
    result = _train(imported_store, tmp_path, recipe)
    tested = evaluate_runs(EvaluationRequest((tmp_path / "run",), store=imported_store, hardware=CPU))
    assert tested.evaluation.emotion.ua == pytest.approx(result.test.emotion.ua)
    record = RunFolder.open(tmp_path / "run").record()
    assert [feature.model_dump(exclude_none=True) for feature in record.recipe.features] == [
        {"kind": "imported", "name": name} for name in features.split(",")
    ]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]["train"]["views"] == [0]


def test_speakers_are_normalised_over_the_clips_that_have_values(
    imported_store: Path, tmp_path: Path
) -> None:
    result = _train(
        imported_store,
        tmp_path,
        _recipe("vector", "input.representation=functionals", "input.normalise=speaker"),
    )
    assert np.isfinite(result.predictions.probabilities).all()


@pytest.mark.parametrize(
    ("features", "changes", "message"),
    [
        (
            "vector",
            ("train.views=[0, 1]",),
            "vector was imported, and exists for the original view alone; train",
        ),
        ("vectr", (), r"has no feature vectr, only mel, rms, vector, .* ser-features import .* vectr FILE"),
        ("lld,vector", (), "the frames of lld, which was imported, are not those of other features"),
        ("lld", ("input.representation=embedding", "model.name=lda"), "lld has up to 11 frames; train with"),
    ],
)
def test_what_cannot_be_trained_is_said_before_a_run_exists(
    imported_store: Path, tmp_path: Path, features: str, changes: tuple[str, ...], message: str
) -> None:
    with pytest.raises((RunError, UsageError), match=message):
        _train(imported_store, tmp_path, _recipe(features, *changes))
    assert not (tmp_path / "run").exists()


def test_features_of_different_lengths_are_refused_before_a_run_exists(
    imported_store: Path, tmp_path: Path
) -> None:
    base = parse_recipe(TINY_RECIPE, "tiny.toml")
    recipe = override(base, Options(model="functionals", features="mel,vector").changes(base))
    message = r"different numbers of frames cannot be stacked \(mel 32, vector 1\)"
    with pytest.raises(UsageError, match=message):
        _train(imported_store, tmp_path, recipe)
    assert not (tmp_path / "run").exists()


def test_a_name_of_opensmile_is_an_imported_feature_unless_the_store_computed_it(
    imported_store: Path,
) -> None:
    spec = FeatureStore.open(imported_store).spec
    computed = OpenSmileSpec(name="egemaps", version="2.6.0", columns=("a", "b"))
    holds = spec.model_copy(update={"features": (*spec.features, computed)})
    recipe = _recipe("egemaps,vector")
    assert [feature.kind for feature in recipe.features] == ["imported", "imported"]
    assert as_computed(spec, recipe) is recipe
    assert as_computed(holds, recipe).features == (OpenSmileSpec(name="egemaps"), recipe.features[1])
    with pytest.raises(UsageError, match="model frame-head reads frames of one encoder"):
        as_computed(holds, _recipe("egemaps", model="frame-head"))


def test_a_model_is_tested_on_any_store_that_imported_its_feature(
    imported_store: Path,
) -> None:
    store, run = FeatureStore.open(imported_store), Path("run")
    spec = store.spec
    other = spec.model_copy(
        update={
            "audio": spec.audio.model_copy(update={"trim_db": 20.0}),
            "spectral": spec.spectral.model_copy(update={"hop_length": 100}),
        }
    )
    require_features(store, other, ("vector",), run)
    with pytest.raises(RunError, match="its audio has trim_db"):
        require_features(store, other, ("mel", "vector"), run)


def test_a_model_asks_another_store_for_its_feature(
    imported_store: Path, small_store: Path, tmp_path: Path
) -> None:
    _train(imported_store, tmp_path, _recipe("vector"))
    with pytest.raises(RunError, match=r"lacks the feature vector, .* add it with: ser-features import"):
        evaluate_runs(EvaluationRequest((tmp_path / "run",), store=small_store, hardware=CPU))
