"""Features of openSMILE in a store, from recordings to a prediction, through the installed commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import audformat
import numpy as np
import opensmile
import pytest

from featurestore.store import FeatureStore
from pipelines.decode import decode
from pipelines.opensmile import LARGEST
from schemas.recipe import parse_recipe
from tests.commands import run
from tests.tiny_store import TINY_RECIPE
from training.predict.predictor import Predictor
from training.runs.request import Hardware, TrainRequest
from training.train import train

RECIPE = TINY_RECIPE.replace("duration_s = 0.5", "duration_s = 0.8")
SPEAKERS = 4

pytestmark = pytest.mark.slow(seconds=30)


@pytest.fixture(scope="module")
def corpora(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four speakers of the small demo, seven clips each."""
    root = tmp_path_factory.mktemp("corpora")
    for folder in sorted((small_demo / "demo").iterdir())[:SPEAKERS]:
        shutil.copytree(folder, root / "demo" / folder.name)
    return root


@pytest.fixture(scope="module")
def store(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that gained eGeMAPS after it was built, with one augmented view."""
    folder = tmp_path_factory.mktemp("store")
    (folder / "tiny.toml").write_text(RECIPE)
    out = folder / "demo.zarr"
    common = ("build", "--datasets", "demo", "--corpora", corpora, "--out", out)
    run("ser-features", *common, "--recipe", folder / "tiny.toml", "--augment", "1")
    done = run("ser-features", *common, "--features", "mel,rms,egemaps")
    assert "openSMILE is free for research and private use" in done.stdout
    return out


def test_a_grown_store_is_the_one_built_at_once(store: Path, corpora: Path, tmp_path: Path) -> None:
    recipe = RECIPE.replace("[[views]]", '[[features]]\nkind = "opensmile"\nname = "egemaps"\n[[views]]', 1)
    (tmp_path / "tiny.toml").write_text(recipe)
    common = ("build", "--datasets", "demo", "--corpora", corpora, "--augment", "1", "--json")
    done = run("ser-features", *common, "--recipe", tmp_path / "tiny.toml", "--out", tmp_path / "demo.zarr")
    assert json.loads(done.stdout)["digest"] == FeatureStore.open(store).digest
    assert run("ser-features", "verify", store, "--full").stdout.startswith("ok ")


def test_values_are_those_of_the_package(store: Path, corpora: Path) -> None:
    opened = FeatureStore.open(store)
    smile = opensmile.Smile(feature_set=opensmile.FeatureSet.eGeMAPSv02)
    rows = [0, 9]
    stored = opened.read(rows, (0, 1), ("egemaps",))["egemaps"]
    assert stored.shape == (2, 2, 88, 1)
    assert opened.valid_frames(rows, (0, 1), "egemaps").tolist() == [[1, 1], [1, 1]]
    for index, row in enumerate(rows):
        path = corpora / "demo" / opened.manifest["path"].iloc[row]
        samples = decode(path.read_bytes(), opened.spec.audio).samples[: opened.spec.length]
        expected = smile.process_signal(np.clip(samples, -1.0, LARGEST), opened.spec.audio.sample_rate)
        assert np.array_equal(stored[0, index, :, 0], expected.to_numpy()[0].astype(np.float16))
        assert not np.array_equal(stored[1, index], stored[0, index])


def test_a_run_predicts_recordings_as_their_stored_clips(store: Path, corpora: Path, tmp_path: Path) -> None:
    egemaps = '[[features]]\nkind = "opensmile"\nname = "egemaps"\n'
    head, _, tail = RECIPE.partition("[[features]]")
    text = f"{head}{egemaps}{tail[tail.index('[[views]]') :]}".replace('name = "A"', 'name = "svm"')
    recipe = parse_recipe(f'{text}[input]\nrepresentation = "embedding"\n[train]\nviews = [0]\n', "test")
    found = train(TrainRequest(store=store, recipe=recipe, output=tmp_path, hardware=Hardware("cpu")))
    assert found.predictions is not None
    paths = FeatureStore.open(store).manifest.set_index("clip_id")["path"]
    predictor = Predictor.open(found.folder.path, "cpu")
    for line in found.predictions.to_csv().splitlines()[1:3]:
        again = predictor.predict(corpora / "demo" / str(paths[line.split(",")[0]])).probabilities
        assert again is not None
        stored = [float(value) for value in line.split(",")[-len(again) :]]
        assert np.abs(np.sort(again) - np.sort(stored)).max() < 2e-3  # the store's float16


def test_values_beyond_float16_are_refused_before_the_work(store: Path, corpora: Path) -> None:
    common = ("build", "--datasets", "demo", "--corpora", corpora, "--out", store)
    done = run("ser-features", *common, "--features", "mel,rms,egemaps,compare", status=2)
    assert "compare has values far beyond float16; add --dtype float32" in done.stderr


def test_exports_have_the_numbers_under_the_names_of_the_package(store: Path, tmp_path: Path) -> None:
    opened = FeatureStore.open(store)
    (feature,) = opened.spec.opensmile
    numbers = opened.read(range(len(opened.manifest)), features=("egemaps",))["egemaps"][0, :, :, 0]
    done = run("ser-features", "export", store, tmp_path / "database", "--format", "audformat")
    assert "Warning" not in done.stderr
    found = audformat.Database.load(str(tmp_path / "database"))["features"].get()
    columns = [f"egemaps.{column}" for column in feature.columns or ()]
    assert [column for column in found if column.startswith("egemaps.")] == columns
    np.testing.assert_array_equal(found[columns].to_numpy(np.float32), numbers.astype(np.float32))
