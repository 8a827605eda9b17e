"""A perceptron on functionals, from store to result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from featurestore.store import FeatureStore
from schemas.errors import RunError, UsageError
from schemas.overrides import override
from schemas.recipe import load_recipe
from schemas.training import InputSpec
from training.evaluate import EvaluationRequest, evaluate_runs
from training.loop.normalise import normalisation_of
from training.report.result import RunResult
from training.runs.request import Hardware, TrainRequest
from training.samples.samples import Samples
from training.train import train
from training.vectors.clip_vectors import Functionals
from training.vectors.source import read_vectors, vectors_source

RECIPE = override(
    load_recipe("four-corpora-c"),
    [
        "datasets=null",
        "input.representation=functionals",
        "input.clip=5.0",
        "model.name=functionals-mlp",
        "train.views=[0, 2, 3]",
        "train.view_sampling=one",
        "train.epochs=12",
        "train.mixup=0.4",
    ],
)
FEATURES = ("mel", "mfcc", "rms", "zcr")
CPU = Hardware("cpu")


@pytest.fixture(scope="module")
def run(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    out = tmp_path_factory.mktemp("runs")
    return train(TrainRequest(store=demo_store, recipe=RECIPE, output=out, hardware=CPU))


def test_it_learns_across_speakers(run: RunResult) -> None:
    """Of seven emotions of synthetic voices, by chance one in seven."""
    assert run.history[-1].train_loss < run.history[0].train_loss
    assert run.test.emotion.ua > 0.4


def test_an_evaluation_gives_the_result_of_the_run(run: RunResult, demo_store: Path) -> None:
    tested = evaluate_runs(EvaluationRequest((run.folder.path,), demo_store, hardware=CPU))
    assert tested.evaluation == run.test


def test_a_source_holds_the_functionals_of_each_sample(demo_store: Path) -> None:
    store = FeatureStore.open(demo_store)
    clips, views = np.arange(90), np.repeat([0, 3], 45)
    samples = Samples(clips, views, clips % 7)
    vectors = Functionals({name: store.spec.coefficients[name] for name in FEATURES})
    source = vectors_source(store, samples, FEATURES, vectors, torch.device("cpu"))
    batches = list(source.in_order(1))
    for i in (0, 44, 45, 89):
        read = store.read([clips[i]], (int(views[i]),), FEATURES)
        x = torch.from_numpy(np.concatenate([read[name][0] for name in FEATURES], axis=1))
        valid = torch.from_numpy(store.valid_frames([clips[i]], (int(views[i]),))[0])
        batch = batches[i]
        assert torch.allclose(batch.features[0, 0, :, 0], vectors(x, valid)[0], atol=1e-3)
        assert (int(batch.valid_frames[0]), int(batch.targets[0])) == (1, i % 7)


def test_functionals_are_normalised_by_the_training_clips_originals_alone(demo_store: Path) -> None:
    store = FeatureStore.open(demo_store)
    clips = np.arange(0, 112, 3)
    spec = InputSpec(representation="functionals", clip=5.0)
    functionals = Functionals({name: store.spec.coefficients[name] for name in FEATURES})
    found = normalisation_of(store, spec, np.tile(clips, 2), (0, 2), FEATURES, functionals)
    originals = Samples(clips, np.zeros(len(clips), dtype=np.int64), np.zeros(len(clips), dtype=np.int64))
    vectors = read_vectors(store, originals, FEATURES, functionals, torch.device("cpu")).numpy()
    assert found.offset == pytest.approx(vectors.mean(0), rel=1e-4, abs=1e-4)
    varying = vectors.std(0) > 1e-5
    assert found.scale[varying] == pytest.approx(vectors.std(0)[varying], rel=1e-2)
    assert found.clip == 5.0


def test_functionals_without_room_are_refused_before_there_is_a_folder(
    demo_store: Path, tmp_path: Path
) -> None:
    hardware = Hardware("cpu", memory=10**6)
    with pytest.raises(RunError, match=r"the functionals of \d+ samples take .* allow more with --memory"):
        train(TrainRequest(store=demo_store, recipe=RECIPE, output=tmp_path / "runs", hardware=hardware))
    assert not (tmp_path / "runs").exists()


def test_functionals_are_not_scaled_to_a_range() -> None:
    with pytest.raises(UsageError, match="by standard, speaker or none, not minmax"):
        override(RECIPE, ["input.normalise=minmax"])
