"""Build, training, evaluation and prediction on a pretended GPU, and how often each waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from featurestore.build import BuildRequest, build
from featurestore.plan.spec import SpecRequest
from featurestore.store import FeatureStore
from featurestore.verify import verify
from schemas.errors import StoppedError
from schemas.overrides import override
from schemas.recipe import load_recipe
from tests.pretended_cuda.pretend import pretend_cuda
from tests.pretended_cuda.waits import HostWaits, Wait
from training.evaluate import EvaluationRequest, evaluate_runs
from training.export.export import export_run
from training.http.form import Upload
from training.models.bilstm import MaskedBiLstm
from training.predict.predictor import Predictor
from training.report.result import RunResult
from training.runs.observer import SilentObserver
from training.runs.request import Hardware, Home, TrainRequest
from training.train import train
from training.web.answer import answer
from training.web.limits import Limits

HOMES: tuple[Home, ...] = ("device", "ram", "stream")
CHANGES = (
    "datasets=null",
    "train.epochs=1",
    "train.batch_size=16",
    "train.views=[0]",
    "model.channels=[4,4,4,4]",
)


def test_a_build_fills_the_store_that_the_cpu_fills(
    small_store: Path, small_demo: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    out = tmp_path / "gpu.zarr"
    with pretend_cuda():
        build(BuildRequest(out, small_demo, "demo", SpecRequest(recipe=tiny_recipe), device="cuda", jobs=1))
    assert verify(out, full=True).ok
    one, other = FeatureStore.open(small_store), FeatureStore.open(out)
    assert other.manifest.equals(one.manifest)
    clips = np.flatnonzero(one.manifest["status"] == "ok")
    for feature in ("mel", "rms"):
        here, there = (store.read(clips, (0, 1, 2), (feature,))[feature] for store in (one, other))
        assert np.abs(there.astype(np.float32) - here.astype(np.float32)).mean() < 1e-2


class SawProducts(SilentObserver):
    """Whether products, and convolutions and LSTMs, could round to TensorFloat-32 in any step."""

    def __init__(self) -> None:
        self.found: set[tuple[bool, bool]] = set()

    def batch_done(self) -> None:
        self.found.add(tf32_settings())


def tf32_settings() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


class StepWaits(SilentObserver):
    """Waits from the end of one training step to that of the next, reading of its batch included."""

    def __init__(self, waits: HostWaits) -> None:
        self._waits = waits
        self.steps: list[Mapping[Wait, int]] = []

    def batch_done(self) -> None:
        self.steps.append(dict(self._waits.by_cause))
        self._waits.forget()


def train_on(
    device: str,
    store: Path,
    recipe: str,
    out: Path,
    observer: SilentObserver,
    *changes: str,
    **hardware: object,
) -> RunResult:
    request = TrainRequest(
        store=store,
        recipe=override(load_recipe(recipe), [*CHANGES, *changes]),
        output=out,
        hardware=Hardware(device=device, **hardware),
    )
    return train(request, observer)


@pytest.fixture(scope="module")
def on_cpu(small_store: Path, tiny_recipe: str, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return train_on("cpu", small_store, tiny_recipe, tmp_path_factory.mktemp("cpu"), SilentObserver())


@pytest.mark.parametrize("home", HOMES)
def test_a_training_from_every_home_is_that_of_the_cpu_and_no_step_waits(
    home: Home, on_cpu: RunResult, small_store: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    """Except for an event from three batches ago, before its pinned memory is filled again.

    What is sent once per epoch is sent before its first step.
    """
    with pretend_cuda() as waits:
        steps = StepWaits(waits)
        found = train_on("cuda", small_store, tiny_recipe, tmp_path, steps, loader=home)
    one, other = on_cpu.history[-1], found.history[-1]
    assert other.train_loss == pytest.approx(one.train_loss, rel=1e-4)
    assert other.validation_loss == pytest.approx(one.validation_loss, rel=1e-3)
    assert found.record.device == "cuda"
    assert len(steps.steps) > 4
    for step in steps.steps[1:]:
        causes = [(wait.cause, wait.file, count) for wait, count in step.items()]
        assert causes in ([], [("event", "training/loader/wire.py", 1)] if home != "device" else [])


@pytest.mark.slow
@pytest.mark.parametrize("graphs", [False, True], ids=["eager", "graphs"])
@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize(
    "changes",
    [
        ("train.precision=bf16",),
        ("model.name=functionals-mlp", "input.representation=functionals"),
        ("model.name=functionals-mlp", "input.representation=functionals", "train.precision=bf16"),
    ],
    ids=["frames, bf16", "functionals", "functionals, bf16"],
)
def test_no_step_waits_with_other_inputs_and_precisions(
    changes: tuple[str, ...], home: Home, graphs: bool, small_store: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    with pretend_cuda() as waits:
        steps = StepWaits(waits)
        train_on("cuda", small_store, tiny_recipe, tmp_path, steps, *changes, loader=home, cuda_graphs=graphs)
    assert len(steps.steps) > 4
    for step in steps.steps[1:]:
        assert {(wait.cause, wait.file) for wait in step} <= {("event", "training/loader/wire.py")}


class StopAfter(SilentObserver):
    """Ctrl-C after some batches."""

    def __init__(self, batches: int) -> None:
        self._left = batches

    def batch_done(self) -> None:
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_stopped_training_with_graphs_is_resumed_and_exported(
    small_store: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    hardware = Hardware("cuda", cuda_graphs=True, save_every=0.0)
    two = "train.epochs=2"
    with pretend_cuda():
        whole = train_on(
            "cuda", small_store, tiny_recipe, tmp_path / "a", SilentObserver(), two, cuda_graphs=True
        )
        with pytest.raises(StoppedError):
            train_on(
                *("cuda", small_store, tiny_recipe, tmp_path / "b", StopAfter(8), two),
                cuda_graphs=True,
                save_every=0.0,
            )
        (stopped,) = (tmp_path / "b").iterdir()
        resumed = train(TrainRequest(store=small_store, resume=stopped, hardware=hardware))
    losses = [[epoch.train_loss for epoch in run.history] for run in (whole, resumed)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    pytest.importorskip("onnxscript")
    assert export_run(resumed.folder.path, tmp_path / "model.onnx").document


def test_bf16_leaves_lstms_in_float32(
    on_cpu: RunResult, small_store: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    seen: set[torch.dtype] = set()
    real = MaskedBiLstm.forward

    def watch(lstm: MaskedBiLstm, sequence: torch.Tensor, valid_steps: torch.Tensor) -> torch.Tensor:
        out = real(lstm, sequence, valid_steps)
        seen.add(out.dtype)
        return out

    with pretend_cuda() as waits, mock.patch.object(MaskedBiLstm, "forward", watch):
        found = train_on("cuda", small_store, tiny_recipe, tmp_path, StepWaits(waits), "train.precision=bf16")
    assert seen == {torch.float32}
    assert found.history[-1].train_loss == pytest.approx(on_cpu.history[-1].train_loss, rel=0.02)


@pytest.mark.parametrize(("precision", "rounds"), [("32", False), ("tf32", True)])
def test_only_the_precision_tf32_lets_a_gpu_round(
    precision: str, rounds: bool, small_store: Path, tiny_recipe: str, tmp_path: Path
) -> None:
    before, saw, changes = tf32_settings(), SawProducts(), f'train.precision="{precision}"'
    run = train_on("cpu", small_store, tiny_recipe, tmp_path, saw, changes, "train.batch_size=64")
    assert saw.found == {(rounds, rounds)}
    assert tf32_settings() == before == (False, True)
    real, within = MaskedBiLstm.forward, set()

    def watch(lstm: MaskedBiLstm, sequence: torch.Tensor, valid_steps: torch.Tensor) -> torch.Tensor:
        within.add(tf32_settings())
        return real(lstm, sequence, valid_steps)

    with mock.patch.object(MaskedBiLstm, "forward", watch):
        evaluate_runs(EvaluationRequest((run.folder.path,), small_store, hardware=Hardware("cpu")))
        Predictor.open(run.folder.path, "cpu").score(torch.zeros(1, 17, 32), torch.tensor([32]))
    assert within == {(rounds, rounds)}


@pytest.mark.parametrize("home", HOMES)
def test_an_evaluation_from_every_home_has_the_result_of_the_run(
    home: Home, on_cpu: RunResult, small_store: Path
) -> None:
    request = EvaluationRequest((on_cpu.folder.path,), small_store, hardware=Hardware("cuda", loader=home))
    with pretend_cuda():
        found = evaluate_runs(request)
    assert found.predictions.probabilities == pytest.approx(on_cpu.predictions.probabilities, abs=1e-4)


def test_the_demos_answer_is_that_of_the_cpu(on_cpu: RunResult, small_demo: Path) -> None:
    upload = Upload("clip", min((small_demo / "demo").rglob("*.wav")).read_bytes())
    expected = answer(Predictor.open(on_cpu.folder.path, "cpu"), upload, Limits())
    with pretend_cuda():
        found = answer(Predictor.open(on_cpu.folder.path, "cuda"), upload, Limits())
    assert dict(found.ranked) == pytest.approx(dict(expected.ranked), abs=1e-5)


def test_a_prediction_is_that_of_the_cpu(on_cpu: RunResult, small_demo: Path) -> None:
    recording = min((small_demo / "demo").rglob("*.wav"))
    expected = Predictor.open(on_cpu.folder.path, "cpu").predict(recording)
    with pretend_cuda():
        found = Predictor.open(on_cpu.folder.path, "cuda").predict(recording)
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
