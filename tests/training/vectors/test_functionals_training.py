"""A perceptron on functionals, from store to result."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from featurestore.store import FeatureStore
from schemas.errors import RunError, UsageError
from schemas.overrides import override
from schemas.recipe import load_recipe
from schemas.training import InputSpec
from tests.pretended_cuda.pretend import pretend_cuda
from training.evaluate import EvaluationRequest, evaluate_runs
from training.loop.normalise import normalisation_of
from training.report.result import RunResult
from training.runs.request import Hardware, TrainRequest
from training.samples.samples import Samples
from training.train import train
from training.vectors.clip_vectors import Functionals
from training.vectors.source import read_vectors, require_room_for_vectors, vectors_source

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


@pytest.mark.parametrize(
    ("free", "message"),
    [(10**5, r"of the GPU's memory may be used; train with --device cpu, or"), (10**9, None)],
)
def test_functionals_on_a_gpu_must_fit_into_its_memory_alone(free: int, message: str | None) -> None:
    functionals, device = Functionals({"mel": 128}), torch.device("cuda", 0)
    clips = np.arange(100)
    samples = Samples(clips, np.zeros_like(clips), np.zeros_like(clips))
    refused = nullcontext() if message is None else pytest.raises(RunError, match=message)
    with mock.patch("torch.cuda.mem_get_info", return_value=(free, free)), refused:
        require_room_for_vectors([samples], functionals, device, budget=1)


def test_a_linear_classifier_is_fitted_in_the_machines_memory_on_a_gpu_too(
    demo_store: Path, tmp_path: Path
) -> None:
    hardware = Hardware("cuda", memory=10**6)
    recipe = override(RECIPE, ["model.name=functionals"])
    request = TrainRequest(store=demo_store, recipe=recipe, output=tmp_path, hardware=hardware)
    with pretend_cuda(), pytest.raises(RunError, match=r"of memory may be used; allow more with --memory"):
        train(request)


def test_functionals_are_not_scaled_to_a_range() -> None:
    with pytest.raises(UsageError, match="by standard, speaker, corpus or none, not minmax"):
        override(RECIPE, ["input.normalise=minmax"])
